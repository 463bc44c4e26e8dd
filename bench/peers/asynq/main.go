// asynq as a peer: tasks, client verbs and the settings it is measured at.
// Run by workloads.py:  about | client SOCKET | worker SOCKET PROFILE
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
)

const keep = time.Hour // a result's life; without it nothing is stored

// An idle asynq server polls. By default once a second, which a latency test would only measure;
// 10 ms costs Redis 100 polls a second (see idle_cmds_per_s).
const checkInterval = 10 * time.Millisecond

var concurrency = map[string]int{"drain": 32, "drain_noresult": 32, "idle": 32, "nap": 1000}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == "github.com/hibiken/asynq" {
			return dep.Version
		}
	}
	return "unknown"
}

func about() map[string]any {
	return map[string]any{
		"left": [][]string{
			{"LLEN", "asynq:{default}:pending"},
			{"LLEN", "asynq:{default}:active"},
		},
		"stored":          []string{"ZCARD", "asynq:{default}:completed"},
		"nap_concurrency": concurrency["nap"],
		"settings": map[string]string{
			"drain":       fmt.Sprintf("Concurrency %d, one queue", concurrency["drain"]),
			"idle":        fmt.Sprintf("as drain, TaskCheckInterval %v", checkInterval),
			"sleep":       fmt.Sprintf("Concurrency %d", concurrency["nap"]),
			"no_result":   "no Retention, nothing written",
			"result_wait": "Inspector.GetTaskInfo, asked every 1 ms: asynq tells nobody",
			"bulk":        "none",
		},
		"versions": map[string]string{"asynq": version(), "go": runtime.Version()},
	}
}

func noop(_ context.Context, t *asynq.Task) error {
	if len(t.Payload()) == 0 {
		return nil
	}
	_, err := t.ResultWriter().Write([]byte("null"))
	return err
}

func stamp(_ context.Context, t *asynq.Task) error {
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	_, err := t.ResultWriter().Write([]byte(now))
	return err
}

func nap(_ context.Context, t *asynq.Task) error {
	time.Sleep(100 * time.Millisecond)
	_, err := t.ResultWriter().Write([]byte("null"))
	return err
}

func work(redis asynq.RedisClientOpt, profile string) error {
	mux := asynq.NewServeMux()
	mux.HandleFunc("noop", noop)
	mux.HandleFunc("stamp", stamp)
	mux.HandleFunc("nap", nap)
	server := asynq.NewServer(redis, asynq.Config{
		Concurrency:       concurrency[profile],
		TaskCheckInterval: checkInterval,
		LogLevel:          asynq.ErrorLevel,
	})
	return server.Run(mux)
}

func main() {
	var err error
	switch os.Args[1] {
	case "about":
		err = json.NewEncoder(os.Stdout).Encode(about())
	case "worker":
		err = work(asynq.RedisClientOpt{Network: "unix", Addr: os.Args[2]}, os.Args[3])
	default:
		err = serve(asynq.RedisClientOpt{Network: "unix", Addr: os.Args[2]})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
