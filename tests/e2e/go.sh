# SPDX-License-Identifier: Apache-2.0
# Go: the compiler runs inside, and so does what it builds.
# timeout: 600
. "$(dirname "$0")/lib.sh"
need go
mkdir g && cat >g/main.go <<'G'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

func main() {
	var wg sync.WaitGroup
	for i := 0; i < 50; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			n := fmt.Sprintf("g%d", i)
			if os.WriteFile(n, []byte(n), 0o644) != nil || os.Rename(n, n+"x") != nil {
				panic(n)
			}
		}(i)
	}
	wg.Wait()
	m, _ := filepath.Glob("g*x")
	out, err := exec.Command("sh", "-c", "echo from sh; exit 3").CombinedOutput()
	fmt.Println(len(m), string(out), err, os.Args[1:])
	_, err = os.ReadFile("/no/such")
	fmt.Println(err)
	os.Exit(5)
}
G
cat >g/go.mod <<'G'
module example.org/g
G
export GOCACHE=/tmp/e2e-gocache GOFLAGS=-mod=mod GOTOOLCHAIN=local GO111MODULE=on CGO_ENABLED=0
out=$(inside sh -c 'cd g && go build -o ../prog . && cd .. && ./prog a "b c"; echo $?' 2>&1)
want='50 from sh
 exit status 3 [a b c]
open /no/such: no such file or directory
5'
[ "$out" = "$want" ] || fail "go: $out"
[ ! -e prog ] && [ ! -e /tmp/e2e-gocache ] || fail "came out to the host"
finish
