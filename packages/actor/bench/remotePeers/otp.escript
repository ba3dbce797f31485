#!/usr/bin/env escript
%% The same work on Erlang/OTP, to a process of another node: `gen_server:call`, or bare messages. Reads commands from
%% standard input, and answers each with a line of JSON, as the processes of the other peers do.
-mode(compile).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(THERE, 'there@127.0.0.1').

main(["answer"]) ->
    {ok, _} = gen_server:start({local, adder}, ?MODULE, 0, []),
    io:format("\"~s\"~n", [erlang:system_info(otp_release)]),
    serve(none);
main(["ask", Way]) ->
    true = net_kernel:connect_node(?THERE),
    io:format("true~n"),
    serve(case Way of "call" -> fun call/1; "bare" -> fun bare/1 end).

serve(Next) ->
    case io:get_line("") of
        eof -> halt();
        Line ->
            case string:lexemes(Line, " \n") of
                ["cpu"] -> io:format("~w~n", [cpu_micros()]);
                ["ask", Depth, Count] ->
                    {Right, Seconds} = asking(Next, list_to_integer(Depth), list_to_integer(Count)),
                    io:format("{\"right\":~w,\"seconds\":~f}~n", [Right, Seconds])
            end,
            serve(Next)
    end.

%% ------------------------------------------------------------------------------------------------------- who answers

init(Asked) -> {ok, Asked}.
handle_call(Value, _, Asked) -> {reply, Value + 1, Asked + 1}.
handle_info({From, Ref, Value}, Asked) -> From ! {Ref, Value + 1}, {noreply, Asked + 1}.
handle_cast(_, Asked) -> {noreply, Asked}.

%% ---------------------------------------------------------------------------------------------------------- who asks

%% Depth processes that ask one question after the other.
asking(Next, Depth, Count) ->
    Self = self(),
    Start = erlang:monotonic_time(nanosecond),
    [spawn_link(fun() -> Self ! {right, ask(Next, share(Count, Depth, At), 0)} end) || At <- lists:seq(1, Depth)],
    Right = lists:sum([receive {right, Some} -> Some end || _ <- lists:seq(1, Depth)]),
    {Right, (erlang:monotonic_time(nanosecond) - Start) / 1.0e9}.

share(Count, Depth, At) when At =< Count rem Depth -> Count div Depth + 1;
share(Count, Depth, _) -> Count div Depth.

ask(_, 0, Right) -> Right;
ask(Next, Value, Right) ->
    case Next(Value) of
        Answer when Answer =:= Value + 1 -> ask(Next, Value - 1, Right + 1);
        _ -> ask(Next, Value - 1, Right)
    end.

call(Value) -> gen_server:call({adder, ?THERE}, Value).

%% The answer is told from others by a reference; nothing is heard of a process that died, nor given up on.
bare(Value) ->
    Ref = make_ref(),
    {adder, ?THERE} ! {self(), Ref, Value},
    receive {Ref, Answer} -> Answer end.

%% Of all its threads, in ticks of 10 ms; null where the system does not tell.
cpu_micros() ->
    case file:read_file("/proc/self/stat") of
        {ok, Stat} ->
            [_, Fields] = string:split(Stat, ") ", trailing),
            [User, System] = lists:sublist(string:lexemes(Fields, " "), 12, 2),
            (binary_to_integer(User) + binary_to_integer(System)) * 10000;
        _ -> null
    end.
