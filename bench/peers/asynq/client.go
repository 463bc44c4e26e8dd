// The client side of asynq: one JSON command per line in, one JSON answer per line out.
// The commands are described in workloads.py, which sends them. loop.py and loop.js are the
// same for the other languages.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

const fillers = 16 // connections that enqueue a backlog; asynq has no bulk call

type command struct {
	Do      string
	N       int
	Results bool
	Rate    float64
	Seconds float64
}

type client struct {
	out   *asynq.Client
	look  *asynq.Inspector
	first *asynq.TaskInfo
}

func (c *client) noop(results bool) error {
	if !results {
		_, err := c.out.Enqueue(asynq.NewTask("noop", nil))
		return err
	}
	_, err := c.out.Enqueue(asynq.NewTask("noop", []byte("{}")), asynq.Retention(keep))
	return err
}

func (c *client) stored(name string) (*asynq.TaskInfo, error) {
	return c.out.Enqueue(asynq.NewTask(name, []byte("{}")), asynq.Retention(keep))
}

// take waits for a stamp's value, the time at which the job began.
func (c *client) take(job *asynq.TaskInfo) (time.Time, error) {
	for {
		info, err := c.look.GetTaskInfo("default", job.ID)
		if err != nil {
			return time.Time{}, err
		}
		if info.State == asynq.TaskStateCompleted {
			ns, err := strconv.ParseInt(string(info.Result), 10, 64)
			return time.Unix(0, ns), err
		}
		time.Sleep(time.Millisecond)
	}
}

// spread calls step n times from several goroutines and answers with the last error.
func spread(n int, step func() error) error {
	var group sync.WaitGroup
	failed := make(chan error, fillers)
	for i := 0; i < fillers; i++ {
		group.Add(1)
		go func(share int) {
			defer group.Done()
			for ; share > 0; share-- {
				if err := step(); err != nil {
					failed <- err
					return
				}
			}
		}((n + i) / fillers)
	}
	group.Wait()
	close(failed)
	return <-failed
}

func (c *client) one(seconds float64) (any, error) {
	begun, n := time.Now(), 0
	for ; time.Since(begun).Seconds() < seconds; n++ {
		if err := c.noop(true); err != nil {
			return nil, err
		}
	}
	return map[string]any{"n": n, "seconds": time.Since(begun).Seconds()}, nil
}

func (c *client) latency(rate, seconds float64) (any, error) {
	n := int(rate * seconds)
	start, result, errs := make([]float64, n), make([]float64, n), make([]error, n)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	var group sync.WaitGroup
	begun := time.Now()
	for i := 0; i < n; i++ {
		time.Sleep(time.Until(begun.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
		group.Add(1)
		go func(i int) {
			defer group.Done()
			submitted := time.Now()
			job, err := c.stored("stamp")
			if err == nil {
				var started time.Time
				started, err = c.take(job)
				start[i], result[i] = ms(started.Sub(submitted)), ms(time.Since(submitted))
			}
			errs[i] = err
		}(i)
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return map[string]any{"start_ms": start, "result_ms": result,
		"seconds": time.Since(begun).Seconds()}, nil
}

func (c *client) obey(cmd command) (answer any, err error) {
	answer = map[string]any{}
	switch cmd.Do {
	case "fill":
		err = spread(cmd.N, func() error { return c.noop(cmd.Results) })
	case "one":
		answer, err = c.one(cmd.Seconds)
	case "bulk":
		answer = nil
	case "latency":
		answer, err = c.latency(cmd.Rate, cmd.Seconds)
	case "nap":
		err = spread(cmd.N, func() error { _, err := c.stored("nap"); return err })
	case "submit":
		c.first, err = c.stored("stamp")
	case "take":
		_, err = c.take(c.first)
		answer = map[string]any{"at": float64(time.Now().UnixNano()) / 1e9}
	default:
		err = fmt.Errorf("unknown command %q", cmd.Do)
	}
	return answer, err
}

func serve(redis asynq.RedisClientOpt) error {
	c := &client{out: asynq.NewClient(redis), look: asynq.NewInspector(redis)}
	lines, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var cmd command
		if err := json.Unmarshal(lines.Bytes(), &cmd); err != nil {
			return err
		}
		answer, err := c.obey(cmd)
		if err != nil {
			return err
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return lines.Err()
}
