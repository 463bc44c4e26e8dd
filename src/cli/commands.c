/* The table of commands. Who adds one adds a row here, and --help, the man pages and the completion
 * follow. What --help prints of it is in usage.c. */
#include <string.h>

#include "cli/command.h"
#include "conf/suggest.h"

enum { COMMANDS_MAX = 64 };

static const struct verb_row beat_verbs[] = {
    {"next", "FILE", "the coming runs of FILE, in order; runs nothing, needs no Redis"},
    {"add", "NAME", "an entry of run time: --task, and one of --every, --cron, --solar, --at"},
    {"remove", "NAME", "takes it away"},
    {"pause", "NAME", "one of run time or of a file"},
    {"resume", "NAME", "ends the pause"},
    {"list", "", "all entries"},
    {"history", "[NAME]", "the last ticks"},
    {0},
};

static const struct verb_row inspect_verbs[] = {
    {"active", "", "jobs that workers hold"},
    {"queues", "", "queues: where their jobs are, and who serves them"},
    {"pending", "", "jobs of a queue (--queue), in order"},
    {"scheduled", "", "jobs with a time to come"},
    {"deferred", "", "jobs that wait for others"},
    {"dead", "", "jobs that failed for good"},
    {"nodes", "", "nodes and their workers"},
    {"registered", "", "tasks and who serves them"},
    {"job", "ID", "everything known about a job"},
    {"workflow", "ID", "a chain, group or chord as a tree, with the state of each job"},
    {"audit", "", "whether each enqueued job is accounted for; exits with 6 where one is not"},
    {0},
};

static const struct verb_row control_verbs[] = {
    {"ping", "", "a sign of life"},
    {"stats", "", "how they do (--json: all of it)"},
    {"quiet", "", "take no new jobs"},
    {"resume", "", "take new jobs again"},
    {"reload", "", "take up changed tasks and options; answers when that is done"},
    {"grow", "[N]", "N workers more, until the next reload"},
    {"shrink", "[N]", "N workers less"},
    {"stop", "", "warm shutdown; needs --node"},
    {"kill", "", "cold shutdown; needs --node"},
    {"time-limit", "[TASK LIMIT [SOFT]]",
     "seconds, none or own, for a task's jobs from now on; or what is set"},
    {0},
};

static const struct verb_row dead_verbs[] = {
    {"list", "", "the jobs that failed for good"},
    {"show", "ID", "everything known about one of them"},
    {"retry", "[ID]", "run them again: an ID, --task NAME or --all"},
    {"delete", "[ID]", "forget them: an ID, --task NAME or --all"},
    {0},
};

/* In the order of `moil --help`. */
const struct command_row moil_commands[] = {
    {.name = "worker",
     .command = CMD_WORKER,
     .run = moil_cmd_worker,
     .operands = "[FILE|DIR]...",
     .summary = "run jobs: a supervisor, workers and an agent",
     .details =
         "Loads tasks from each FILE, and from every *.lua of each DIR (default: tasks/).\n"
         "\n"
         "Signals: TERM and INT shut down warmly (a second one: at once, jobs go back to their\n"
         "queues), QUIT shuts down at once, HUP reloads, TSTP takes nothing new and CONT ends "
         "that,\n"
         "TTIN and TTOU make one worker more or less, USR1 opens the log file anew.\n"},
    {.name = "dev",
     .command = CMD_DEV,
     .run = moil_cmd_dev,
     .operands = "[FILE|DIR]...",
     .summary = "run jobs on an embedded Redis, for development",
     .details =
         "`moil worker` with one worker process and a private redis-server in .moil/, unless told\n"
         "otherwise. The other commands find it there when they are run in the same folder.\n"},
    {.name = "beat",
     .command = CMD_BEAT,
     .run = moil_cmd_beat,
     .operands = "FILE, or: next FILE, list, history [NAME], add|remove|pause|resume NAME",
     .summary = "run a schedule, show what it brings, or change it",
     .details =
         "Runs the entries of FILE, a Lua file that returns { schedule = { … } }, and those that "
         "were\n"
         "added at run time; any number may do so, each run happens once. Signals as for `moil\n"
         "worker`.\n"
         "\n"
         "  moil beat add noon --task report.daily --cron '0 12 * * *' --timezone Asia/Tokyo\n",
     .verbs = beat_verbs},
    {.name = "call",
     .command = CMD_CALL,
     .run = moil_cmd_call,
     .operands = "TASK [ARG]...",
     .summary = "enqueue a job, and print its id or its result",
     .details = "Each ARG is taken as JSON where it is JSON, else as a string:\n"
                "\n"
                "  moil call math.add 4 4 --wait\n"
                "  moil call mail.send '{\"to\":\"ann\"}' \"good morning\" --countdown 60\n"
                "  seq 1000 | sed 's/.*/[&]/' | moil call image.resize --stdin\n"
                "\n"
                "Prints the job's id; with --wait its result as JSON. A failed job's error goes to "
                "stderr.\n"},
    {.name = "result",
     .command = CMD_RESULT,
     .run = moil_cmd_result,
     .operands = "ID",
     .summary = "print a job's state, and its result or error",
     .details =
         "Prints one line: the state, and behind it the result (or what the job told of its\n"
         "progress) as JSON. A failed job's error goes to stderr.\n"},
    {.name = "revoke",
     .command = CMD_REVOKE,
     .run = moil_cmd_revoke,
     .operands = "ID",
     .summary = "cancel a job that has not started"},
    {.name = "reschedule",
     .command = CMD_RESCHEDULE,
     .run = moil_cmd_reschedule,
     .operands = "ID WHEN",
     .summary = "give a job that waits another time",
     .details = "WHEN is a number of seconds from now, or a time with its offset:\n"
                "\n"
                "  moil reschedule 2f0c… 60\n"
                "  moil reschedule 2f0c… 2030-01-01T09:00:00+08:00\n"
                "\n"
                "The job may be delayed, wait for a retry or stand in its queue. One that has "
                "started is left\n"
                "alone.\n"},
    {.name = "purge",
     .command = CMD_PURGE,
     .run = moil_cmd_purge,
     .operands = "QUEUE",
     .summary = "drop the jobs that wait in a queue"},
    {.name = "pause",
     .command = CMD_PAUSE,
     .run = moil_cmd_pause,
     .operands = "QUEUE",
     .summary = "stop the starting of jobs from a queue"},
    {.name = "resume",
     .command = CMD_RESUME,
     .run = moil_cmd_resume,
     .operands = "QUEUE",
     .summary = "end a pause"},
    {.name = "inspect",
     .command = CMD_INSPECT,
     .run = moil_cmd_inspect,
     .operands = "VIEW, or: job|workflow ID",
     .summary = "show what is going on",
     .verbs = inspect_verbs},
    {.name = "top",
     .command = CMD_TOP,
     .run = moil_cmd_top,
     .operands = "",
     .summary = "watch queues, workers and running jobs, and steer them",
     .details =
         "Keys: tab the next pane, j and k or the arrows select, p pauses a queue or resumes it,\n"
         "r revokes a job after a question, / filters, ? helps, q quits. With --once, with --json, "
         "or\n"
         "where there is no terminal it prints one frame.\n"},
    {.name = "why",
     .command = CMD_WHY,
     .run = moil_cmd_why,
     .operands = "ID",
     .summary = "say why a job is not running yet",
     .details =
         "Whatever is in its way, in order: a paused queue, a time to come, jobs that it waits "
         "for,\n"
         "no worker for its queue or its task, jobs before it and how fast they go. Of one that\n"
         "runs or has ended: since when, where, and how.\n"},
    {.name = "doctor",
     .command = CMD_DOCTOR,
     .run = moil_cmd_doctor,
     .operands = "",
     .summary = "examine Redis, the clocks, the nodes and the jobs, and say what to do",
     .details =
         "One line for each thing that it looks at: ok, warn or bad, and what to do. Exits with 6 "
         "where\n"
         "something is bad. It changes nothing but a few keys of its own, which it takes away.\n"},
    {.name = "dead",
     .command = CMD_DEAD,
     .run = moil_cmd_dead,
     .operands = "list, or: show ID, or: retry|delete [ID]",
     .summary = "show, retry or delete jobs that failed for good",
     .verbs = dead_verbs},
    {.name = "control",
     .command = CMD_CONTROL,
     .run = moil_cmd_control,
     .operands = "COMMAND [ARG]...",
     .summary = "tell nodes what to do, and show what they answer",
     .verbs = control_verbs,
     .details = "All nodes are told, or those that --node names. Any other COMMAND is one of the "
                "tasks' own, made\n"
                "with moil.on_control: each worker answers. Each ARG is taken as JSON where it is "
                "JSON, else as a\n"
                "string.\n"
                "\n"
                "Exits with 1 where some have refused, 4 where some are silent, 5 where there is "
                "no such node.\n"},
    {.name = "events",
     .command = CMD_EVENTS,
     .run = moil_cmd_events,
     .operands = "",
     .summary = "print what happens, as it happens, a line of JSON each",
     .details = "Goes on until it is interrupted, or --limit or --timeout says otherwise:\n"
                "\n"
                "  moil events --type failed,dead --task 'mail.*'\n"
                "  moil events --queue high | jq -c '[.type, .id, .runtime]'\n"},
    {.name = "check",
     .command = CMD_CHECK,
     .run = moil_cmd_check,
     .operands = "[FILE|DIR]...",
     .summary = "load tasks as a worker would, and list them or say what is wrong"},
    {.name = "replay",
     .command = CMD_REPLAY,
     .run = moil_cmd_replay,
     .operands = "ID [FILE|DIR]...",
     .summary = "run a job once more, here and with its inputs, to see what it does",
     .details =
         "Takes the record of a job that failed or waits, loads tasks as a worker would (default:\n"
         "tasks/) and runs the job in a process of its own. Redis is changed in nothing: what the\n"
         "job enqueues is listed and not sent, but runs here where it waits for it. Prints the\n"
         "result as JSON, or the error with its traceback on stderr, and then exits with 1.\n"},
    {.name = "new",
     .command = CMD_NEW,
     .run = moil_cmd_new,
     .operands = "DIR",
     .summary = "lay out a project: tasks, a schedule, options and tests",
     .details = "DIR must be empty, or not be there yet. `busted` in it runs the project's tests, "
                "`moil dev` its\n"
                "jobs.\n"},
};

const size_t moil_command_count = sizeof moil_commands / sizeof *moil_commands;

const struct command_row *moil_command_find(const char *name)
{
    for (size_t i = 0; i < moil_command_count; i++) {
        if (strcmp(moil_commands[i].name, name) == 0) {
            return &moil_commands[i];
        }
    }
    return NULL;
}

const char *moil_command_nearest(const char *wrong)
{
    const char *names[COMMANDS_MAX] = {"help"};
    size_t count = 1;
    for (size_t i = 0; i < moil_command_count && count < COMMANDS_MAX; i++) {
        names[count++] = moil_commands[i].name;
    }
    return moil_nearest_name(wrong, names, count);
}
