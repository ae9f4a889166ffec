// dockerfile-lint FILE…: what `docker build --check` says, by BuildKit's own linter, where neither Docker nor a registry is.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	linter "github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/opencontainers/go-digest"
)

// Bases are not fetched: each is one for Linux that sets PATH, which is what the rules ask of it.
const base = `{"os": "linux", "architecture": "amd64", "config": {"Env": ["PATH=/usr/bin:/bin"]}}`

type offline struct{}

func (offline) ResolveImageConfig(_ context.Context, name string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	return name, digest.FromString(name), []byte(base), nil
}

func main() {
	status := 0
	for _, file := range os.Args[1:] {
		if !clean(file) {
			status = 1
		}
	}
	os.Exit(status)
}

// clean prints what is wrong with a file, as Docker does, and says whether nothing is.
func clean(file string) bool {
	found, err := lint(file)
	if err == nil {
		err = found.PrintTo(os.Stdout, nil)
	}
	if err != nil {
		fmt.Println("error:", err)
		return false
	}
	found.PrintErrorTo(os.Stdout, nil)
	return len(found.Warnings) == 0 && found.Error == nil
}

func lint(file string) (*linter.LintResults, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return dockerfile2llb.DockerfileLint(context.Background(), text, dockerfile2llb.ConvertOpt{
		MetaResolver: offline{},
		SourceMap:    &llb.SourceMap{Definition: &llb.Definition{}, Filename: file, Language: "Dockerfile", Data: text},
	})
}
