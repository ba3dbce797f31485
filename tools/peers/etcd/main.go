// Enters etcd's lock again and again, by so many callers for a time: etcd ENDPOINTS CALLERS MILLIS.
// Prints how many entries there were, in how long, and the milliseconds that each was waited for.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	callers, err := strconv.Atoi(os.Args[2])
	must(err)
	millis, err := strconv.Atoi(os.Args[3])
	must(err)
	mutexes := make([]*concurrency.Mutex, callers)
	for i := range mutexes {
		client, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(os.Args[1], ","), DialTimeout: 5 * time.Second})
		must(err)
		session, err := concurrency.NewSession(client, concurrency.WithTTL(10))
		must(err)
		mutexes[i] = concurrency.NewMutex(session, "/bench")
		must(mutexes[i].Lock(context.Background()))
		must(mutexes[i].Unlock(context.Background()))
	}
	waits := make([][]float64, callers)
	start := time.Now()
	end := start.Add(time.Duration(millis) * time.Millisecond)
	var all sync.WaitGroup
	for i := range mutexes {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			for asked := time.Now(); asked.Before(end); asked = time.Now() {
				must(mutexes[i].Lock(context.Background()))
				waits[i] = append(waits[i], time.Since(asked).Seconds()*1000)
				must(mutexes[i].Unlock(context.Background()))
			}
		}(i)
	}
	all.Wait()
	must(json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"seconds": time.Since(start).Seconds(),
		"waits":   waits,
	}))
}
