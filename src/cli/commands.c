/* The table of commands, and what --help prints of it. */
#include <string.h>

#include "cli/command.h"
#include "conf/suggest.h"

enum { COMMANDS_MAX = 32 };

const struct command_row moil_commands[] = {
    {"worker", CMD_WORKER, moil_cmd_worker, "[FILE|DIR]...",
     "run jobs: a supervisor, workers and an agent",
     "Loads tasks from each FILE, and from every *.lua of each DIR (default: tasks/).\n"
     "\n"
     "Signals: TERM and INT shut down warmly (a second one: at once, jobs go back to their "
     "queues),\n"
     "QUIT shuts down at once, TSTP takes nothing new and CONT ends that, TTIN and TTOU make one\n"
     "worker more or less, USR1 opens the log file anew.\n"},
    {"dev", CMD_DEV, moil_cmd_dev, "[FILE|DIR]...",
     "run jobs on an embedded Redis, for development",
     "`moil worker` with one worker process and a private redis-server in .moil/, unless told\n"
     "otherwise. The other commands find it there when they are run in the same folder.\n"},
    {"beat", CMD_BEAT, moil_cmd_beat,
     "FILE, or: next FILE, list, history [NAME], add|remove|pause|resume NAME",
     "run a schedule, show what it brings, or change it",
     "Runs the entries of FILE, a Lua file that returns { schedule = { … } }, and those that were\n"
     "added at run time; any number may do so, each run happens once. Signals as for `moil "
     "worker`.\n"
     "\n"
     "  next FILE       the coming runs of FILE, in order; runs nothing, needs no Redis\n"
     "  add NAME        an entry of run time: --task, and one of --every, --cron, --solar and "
     "--at\n"
     "  remove NAME     takes it away                     list            all entries\n"
     "  pause NAME      one of run time or of a file      history [NAME]  the last ticks\n"
     "  resume NAME     ends the pause\n"
     "\n"
     "  moil beat add noon --task report.daily --cron '0 12 * * *' --timezone Asia/Tokyo\n"},
    {"call", CMD_CALL, moil_cmd_call, "TASK [ARG]...",
     "enqueue a job, and print its id or its result",
     "Each ARG is taken as JSON where it is JSON, else as a string:\n"
     "\n"
     "  moil call math.add 4 4 --wait\n"
     "  moil call mail.send '{\"to\":\"ann\"}' \"good morning\" --countdown 60\n"
     "  seq 1000 | sed 's/.*/[&]/' | moil call image.resize --stdin\n"
     "\n"
     "Prints the job's id; with --wait its result as JSON. A failed job's error goes to stderr.\n"},
    {"result", CMD_RESULT, moil_cmd_result, "ID", "print a job's state, and its result or error",
     "Prints one line: the state, and behind it the result (or what the job told of its progress) "
     "as\n"
     "JSON. A failed job's error goes to stderr.\n"},
    {"revoke", CMD_REVOKE, moil_cmd_revoke, "ID", "cancel a job that has not started", NULL},
    {"reschedule", CMD_RESCHEDULE, moil_cmd_reschedule, "ID WHEN",
     "give a job that waits another time",
     "WHEN is a number of seconds from now, or a time with its offset:\n"
     "\n"
     "  moil reschedule 2f0c… 60\n"
     "  moil reschedule 2f0c… 2030-01-01T09:00:00+08:00\n"
     "\n"
     "The job may be delayed, wait for a retry or stand in its queue. One that has started is left "
     "alone.\n"},
    {"purge", CMD_PURGE, moil_cmd_purge, "QUEUE", "drop the jobs that wait in a queue", NULL},
    {"pause", CMD_PAUSE, moil_cmd_pause, "QUEUE", "stop the starting of jobs from a queue", NULL},
    {"resume", CMD_RESUME, moil_cmd_resume, "QUEUE", "end a pause", NULL},
    {"inspect", CMD_INSPECT, moil_cmd_inspect, "VIEW, or: job|workflow ID", "show what is going on",
     "  active      jobs that workers hold       scheduled   jobs with a time to come\n"
     "  queues      queues and their lengths     dead        jobs that failed for good\n"
     "  nodes       nodes and their workers      registered  tasks and who serves them\n"
     "  job ID      everything known about a job\n"
     "  workflow ID a chain, group or chord as a tree, with the state of each job\n"
     "  audit       whether each enqueued job is accounted for; exits with 6 where one is not\n"},
    {"dead", CMD_DEAD, moil_cmd_dead, "list, or: retry|delete [ID]",
     "show, retry or delete jobs that failed for good",
     "retry and delete take an ID, --task NAME or --all.\n"},
    {"check", CMD_CHECK, moil_cmd_check, "[FILE|DIR]...",
     "load tasks as a worker would, and list them or say what is wrong", NULL},
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

void moil_command_list(struct buffer *out)
{
    moil_buffer_add_str(out, "A distributed task queue with tasks in Lua.\n"
                             "\n"
                             "Usage: moil COMMAND [ARGUMENT]... [OPTION]...\n"
                             "\n"
                             "Commands:\n");
    for (size_t i = 0; i < moil_command_count; i++) {
        moil_buffer_addf(out, "  %-9s %s\n", moil_commands[i].name, moil_commands[i].summary);
    }
    moil_buffer_add_str(out, "  help      print this help, or that of one command\n\n");
    moil_options_help(CMD_ALL, out);
    moil_buffer_add_str(
        out, "\n"
             "Exit codes: 0 done, 1 the job failed, 2 usage, 3 no Redis, 4 timed out waiting,\n"
             "5 no such job or task, 6 a check failed.\n");
}

void moil_command_help(const struct command_row *row, struct buffer *out)
{
    moil_buffer_addf(out, "Usage: moil %s %s [OPTION]...\n\n", row->name, row->operands);
    moil_buffer_addf(out, "moil %s: %s.\n\n", row->name, row->summary);
    if (row->details) {
        moil_buffer_addf(out, "%s\n", row->details);
    }
    moil_buffer_add_str(out, "Options:\n");
    moil_options_help(row->command, out);
}
