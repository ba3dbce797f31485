// Puts or gets keys of etcd, so many callers at once for a time: etcd-kv ENDPOINTS put|get CALLERS MILLIS.
// Prints for how long, and the milliseconds that each operation took.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	callers, err := strconv.Atoi(os.Args[3])
	must(err)
	millis, err := strconv.Atoi(os.Args[4])
	must(err)
	value := strings.Repeat("v", 100)
	clients := make([]*clientv3.Client, callers)
	for i := range clients {
		clients[i], err = clientv3.New(clientv3.Config{Endpoints: strings.Split(os.Args[1], ","), DialTimeout: 5 * time.Second})
		must(err)
		_, err = clients[i].Put(context.Background(), fmt.Sprintf("key:%012d", i), value)
		must(err)
	}
	times := make([][]float64, callers)
	start := time.Now()
	end := start.Add(time.Duration(millis) * time.Millisecond)
	var all sync.WaitGroup
	for i := range clients {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			n := i
			for asked := time.Now(); asked.Before(end); asked = time.Now() {
				key := fmt.Sprintf("key:%012d", n)
				if os.Args[2] == "get" {
					_, err := clients[i].Get(context.Background(), key)
					must(err)
				} else {
					n = (n + callers) % 100000
					_, err := clients[i].Put(context.Background(), key, value)
					must(err)
				}
				times[i] = append(times[i], time.Since(asked).Seconds()*1000)
			}
		}(i)
	}
	all.Wait()
	flat := []float64{}
	for _, each := range times {
		flat = append(flat, each...)
	}
	must(json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"seconds": time.Since(start).Seconds(),
		"times":   flat,
	}))
}
