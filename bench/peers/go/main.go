// Go's standard library:
//
//	peer serve PORT WORKERS    the server
//	peer tiny TASKS            a tiny task handed to a goroutine: "NANOSECONDS NAME"
//	peer json FILE             how fast it aggregates a file: "GB_PER_S NAME"
//
// Tuned: kept connections to upstreams are not limited; bodies of known length are read into one
// buffer; JSON is decoded into a struct with the two fields that are needed, several times as fast
// as into maps. CPU work runs in goroutines, WORKERS at a time, in the server's own process.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return value
}

func tiny(tasks int) {
	requests, results := make(chan int, 1024), make(chan int, 1024)
	go func() {
		for value := range requests {
			results <- value + 1
		}
	}()
	run := func() time.Duration {
		begin := time.Now()
		go func() {
			for i := 0; i < tasks; i++ {
				requests <- i
			}
		}()
		for i := 0; i < tasks; i++ {
			<-results
		}
		return time.Since(begin)
	}
	run()
	fmt.Printf("%d Go channel\n", run().Nanoseconds()/int64(tasks))
}

func jsonSpeed(file string) {
	body, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	runs, begin := 0, time.Now()
	for time.Since(begin) < 200*time.Millisecond {
		aggregate(body)
		runs++
	}
	speed := float64(len(body)*runs) / float64(time.Since(begin).Nanoseconds())
	fmt.Printf("%.4f encoding/json of Go\n", speed)
}

func main() {
	switch os.Args[1] {
	case "serve":
		serve(number(os.Args[2]), number(os.Args[3]))
	case "tiny":
		tiny(number(os.Args[2]))
	case "json":
		jsonSpeed(os.Args[2])
	}
}
