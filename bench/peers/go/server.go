package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

type group struct {
	Count int     `json:"count"`
	Sum   float64 `json:"sum"`
}

type summary struct {
	group
	Mean   float64          `json:"mean"`
	Groups map[string]group `json:"groups"`
}

func aggregate(body []byte) (summary, error) {
	var rows []struct {
		Score float64 `json:"score"`
		Lang  string  `json:"lang"`
	}
	all := summary{Groups: map[string]group{}}
	if err := json.Unmarshal(body, &rows); err != nil {
		return all, err
	}
	for _, row := range rows {
		one := all.Groups[row.Lang]
		one.Count++
		one.Sum += row.Score
		all.Groups[row.Lang] = one
		all.Count++
		all.Sum += row.Score
	}
	all.Mean = all.Sum / float64(all.Count)
	return all, nil
}

type server struct {
	client http.Client
	busy   chan struct{} // as many as there are workers
}

func (s *server) get(url string) (int, []byte, error) {
	response, err := s.client.Get(url)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	if response.ContentLength < 0 {
		body, err := io.ReadAll(response.Body)
		return response.StatusCode, body, err
	}
	body := make([]byte, response.ContentLength)
	_, err = io.ReadFull(response.Body, body)
	return response.StatusCode, body, err
}

func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

func answerJSON(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, http.StatusOK, body)
}

func (s *server) fetch(w http.ResponseWriter, r *http.Request) {
	status, body, err := s.get(r.URL.Query().Get("url"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	answer(w, status, body)
}

func (s *server) aggregate(w http.ResponseWriter, r *http.Request) {
	_, body, err := s.get(r.URL.Query().Get("url"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	s.busy <- struct{}{}
	all, err := aggregate(body)
	<-s.busy
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	answerJSON(w, all)
}

func (s *server) burn(w http.ResponseWriter, r *http.Request) {
	iterations := number(r.URL.Query().Get("iterations"))
	s.busy <- struct{}{}
	result := 0
	for i := 0; i < iterations; i++ {
		result += i * i % 7
	}
	<-s.busy
	answer(w, http.StatusOK, []byte(strconv.Itoa(result)))
}

type outcome struct {
	URL    string `json:"url"`
	Status int    `json:"status"`
	Body   string `json:"body"`
	Error  string `json:"error,omitempty"`
}

func (s *server) batch(w http.ResponseWriter, r *http.Request) {
	var urls []string
	if err := json.NewDecoder(r.Body).Decode(&urls); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	outcomes := make([]outcome, len(urls))
	var all sync.WaitGroup
	for i, url := range urls {
		all.Add(1)
		go func(i int, url string) {
			defer all.Done()
			status, body, err := s.get(url)
			outcomes[i] = outcome{URL: url, Status: status, Body: string(body)}
			if err != nil {
				outcomes[i].Error = err.Error()
			}
		}(i, url)
	}
	all.Wait()
	answerJSON(w, outcomes)
}

func serve(port, workers int) {
	s := &server{
		client: http.Client{
			Timeout: time.Minute,
			Transport: &http.Transport{
				MaxIdleConns:        30000,
				MaxIdleConnsPerHost: 20000,
				IdleConnTimeout:     10 * time.Minute,
				DisableCompression:  true,
			},
		},
		busy: make(chan struct{}, workers),
	}
	routes := http.NewServeMux()
	hello := []byte(`{"status":"ok"}`)
	routes.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, hello)
	})
	routes.HandleFunc("/fetch", s.fetch)
	routes.HandleFunc("/aggregate", s.aggregate)
	routes.HandleFunc("/burn", s.burn)
	routes.HandleFunc("/batch", s.batch)
	front := &http.Server{
		Addr:        fmt.Sprintf("127.0.0.1:%d", port),
		Handler:     routes,
		IdleTimeout: 10 * time.Minute,
	}
	fmt.Println(front.ListenAndServe())
}
