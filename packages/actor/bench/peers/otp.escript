#!/usr/bin/env escript
%%! +sbwt none
%% The same work on Erlang/OTP: prints a line of JSON. It stops where not all of the work was done.
-mode(compile).

main(_) ->
    Tells = 1000000, Trips = 300000, Asks = 200000, Actors = 200000,
    Counter = spawn(fun() -> counter(0) end),
    works(Counter, 100000, 30000, 20000, 20000),
    [{tell, Tell}, {trips, Trip}, {ask, Ask}, {spawn, Spawn, Bytes}] = works(Counter, Tells, Trips, Asks, Actors),
    io:format("{\"release\":\"~s\",\"tell\":~w,\"pingPong\":~w,\"ask\":~w,\"spawn\":~w,\"bytes\":~w}~n",
              [erlang:system_info(otp_release), Tell, Trip, Ask, Spawn, Bytes]).

works(Counter, Tells, Trips, Asks, Actors) ->
    Before = sum(Counter),
    Tell = rate(Tells, fun() -> tell(Counter, Tells), sum(Counter) - Before end),
    Trip = rate(Trips, fun() -> trips(Trips) end),
    Ask = rate(Asks, fun() -> ask(Counter, Asks, 0) end),
    {Spawn, Bytes} = spawning(Actors),
    [{tell, Tell}, {trips, Trip}, {ask, Ask}, {spawn, Spawn, Bytes}].

rate(Count, Work) ->
    Start = erlang:monotonic_time(nanosecond),
    Count = Work(),
    Count * 1000000000 div (erlang:monotonic_time(nanosecond) - Start).

counter(Sum) ->
    receive
        {add, Amount} -> counter(Sum + Amount);
        {sum, From, Ref} -> From ! {Ref, Sum}, counter(Sum)
    end.

%% As gen_server:call does it: the answer is told from others by a reference, and a dead server by a monitor.
sum(Counter) ->
    Ref = erlang:monitor(process, Counter),
    Counter ! {sum, self(), Ref},
    receive
        {Ref, Sum} -> erlang:demonitor(Ref, [flush]), Sum;
        {'DOWN', Ref, _, _, Reason} -> exit(Reason)
    end.

tell(_, 0) -> ok;
tell(Counter, Left) when Left rem 50000 =:= 0 -> sum(Counter), Counter ! {add, 1}, tell(Counter, Left - 1);
tell(Counter, Left) -> Counter ! {add, 1}, tell(Counter, Left - 1).

ask(_, 0, Answered) -> Answered;
ask(Counter, Left, Answered) -> sum(Counter), ask(Counter, Left - 1, Answered + 1).

trips(Trips) ->
    Self = self(),
    Other = spawn(fun() -> player(undefined, Self, 0) end),
    One = spawn(fun() -> player(Other, Self, 0) end),
    Other ! {other, One},
    One ! {ball, 2 * Trips - 1},
    Hits = [receive {hits, Count} -> Count end || _ <- [1, 2]],
    lists:sum(Hits) div 2.

player(Other, Parent, Hits) ->
    receive
        {other, Pid} -> player(Pid, Parent, Hits);
        {ball, 0} -> Other ! over, Parent ! {hits, Hits + 1};
        {ball, Left} -> Other ! {ball, Left - 1}, player(Other, Parent, Hits + 1);
        over -> Parent ! {hits, Hits}
    end.

spawning(Actors) ->
    erlang:garbage_collect(),
    Before = erlang:memory(processes),
    Start = erlang:monotonic_time(nanosecond),
    Pids = [spawn(fun() -> counter(0) end) || _ <- lists:seq(1, Actors)],
    Nanos = erlang:monotonic_time(nanosecond) - Start,
    Bytes = (erlang:memory(processes) - Before) div Actors,
    Actors = length([exit(Pid, kill) || Pid <- Pids]),
    {Actors * 1000000000 div Nanos, Bytes}.
