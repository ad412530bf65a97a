// Switchback from Go, by any client of Redis (Debian: golang-github-gomodule-redigo-dev; elsewhere: go get
// github.com/gomodule/redigo).
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run examples/go/example.go [PORT]
package main

import (
	"fmt"
	"log"
	"os"
	"sort"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// connect dials the port that the command line names. An empty password asks for none.
func connect() (redis.Conn, error) {
	port := "6380"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	return redis.Dial("tcp", "127.0.0.1:"+port, redis.DialPassword(os.Getenv("SWITCHBACK_PASSWORD")))
}

// show prints what each key holds. An absent one is redis.ErrNil, not an empty string.
func show(conn redis.Conn, keys ...string) error {
	for _, key := range keys {
		value, err := redis.String(conn.Do("GET", "go:"+key))
		if err == redis.ErrNil {
			value = "(absent)"
		} else if err != nil {
			return err
		}
		fmt.Println(key, "=", value)
	}
	return nil
}

// send buffers commands; the next Do takes them along.
func send(conn redis.Conn, commands ...redis.Args) error {
	for _, command := range commands {
		if err := conn.Send(command[0].(string), command[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// allDone is the first error among answers that came together: redigo leaves each in its place.
func allDone(replies []interface{}, err error) error {
	for _, reply := range replies {
		if failed, ok := reply.(redis.Error); ok && err == nil {
			err = failed
		}
	}
	return err
}

// replaceTogether is one batch of the commit log: both stores get all of it, or nothing.
func replaceTogether(conn redis.Conn) error {
	if err := send(conn, redis.Args{"MULTI"}, redis.Args{"SET", "go:bob", 7}, redis.Args{"DEL", "go:alice"}); err != nil {
		return err
	}
	return allDone(redis.Values(conn.Do("EXEC")))
}

// setMany sends its commands together: they share one sync of the disk.
func setMany(conn redis.Conn) error {
	for n := 1; n <= 3; n++ {
		if err := send(conn, redis.Args{"SET", fmt.Sprintf("go:many:%d", n), n}); err != nil {
			return err
		}
	}
	return allDone(redis.Values(conn.Do(""))) // all answers, in order
}

// scan asks for page after page, until the cursor is 0 again.
func scan(conn redis.Conn, pattern string) ([]string, error) {
	var keys []string
	for cursor := "0"; ; {
		answer, err := redis.Values(conn.Do("SCAN", cursor, "MATCH", pattern, "COUNT", 100))
		if err != nil {
			return nil, err
		}
		var page []string
		if _, err := redis.Scan(answer, &cursor, &page); err != nil {
			return nil, err
		}
		keys = append(keys, page...)
		if cursor == "0" {
			sort.Strings(keys)
			return keys, nil
		}
	}
}

func run() error {
	conn, err := connect()
	if err != nil {
		return err
	}
	defer conn.Close()

	if _, err := conn.Do("SET", "go:alice", "1"); err != nil {
		return err
	}
	if _, err := redis.Int(conn.Do("INCR", "go:alice")); err != nil {
		return err
	}
	if err := show(conn, "alice"); err != nil {
		return err
	}
	if err := replaceTogether(conn); err != nil {
		return err
	}
	if err := show(conn, "alice", "bob"); err != nil {
		return err
	}
	if err := setMany(conn); err != nil {
		return err
	}
	keys, err := scan(conn, "go:many:*")
	if err != nil {
		return err
	}
	fmt.Println("many =", strings.Join(keys, " "))

	// What Switchback does not do is said, not ignored.
	if _, err := conn.Do("SET", "go:bob", "1", "EX", "60"); err != nil {
		fmt.Println("refused:", err)
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
