// SPDX-License-Identifier: GPL-2.0-or-later

// An HTTPS server and client for the tests of Go's crypto/tls: HTTP/1.1, any Go since 1.15.
//
//	gohttps server ADDRESS CERTIFICATE KEY
//	gohttps client VERSION URL...
//
// The client makes a new connection for each URL, of one TLS version ("1.2", "1.3"), and resumes the session of the
// one before. Before each it waits for a line on standard input, after it, it prints whether the session was resumed.
package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io/ioutil"
	"net/http"
	"os"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address, certificate, key string) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		_, err := fmt.Fprintf(w, "decrypted %s\n", r.URL.Path)
		check(err)
	}
	server := &http.Server{
		Addr:         address,
		Handler:      http.HandlerFunc(handler),
		TLSConfig:    &tls.Config{MinVersion: tls.VersionTLS12},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	check(server.ListenAndServeTLS(certificate, key))
}

func get(config *tls.Config, url string) bool {
	transport := &http.Transport{
		TLSClientConfig: config,
		TLSNextProto:    map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	client := http.Client{Transport: transport, Timeout: 60 * time.Second}
	response, err := client.Get(url)
	check(err)
	_, err = ioutil.ReadAll(response.Body)
	check(err)
	check(response.Body.Close())
	transport.CloseIdleConnections()
	return response.TLS.DidResume
}

func main() {
	if os.Args[1] == "server" {
		serve(os.Args[2], os.Args[3], os.Args[4])
	}
	version := uint16(tls.VersionTLS12)
	if os.Args[2] == "1.3" {
		version = tls.VersionTLS13
	}
	config := &tls.Config{
		InsecureSkipVerify: true,
		MinVersion:         version,
		MaxVersion:         version,
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}
	lines := bufio.NewReader(os.Stdin)
	for _, url := range os.Args[3:] {
		_, err := lines.ReadString('\n')
		check(err)
		fmt.Println(get(config, url))
	}
}
