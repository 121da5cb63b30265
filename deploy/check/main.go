// Command check reads recap's deployment files with the code that will read them in production: Compose's loader, BuildKit's Dockerfile parser and
// linter, kustomize, and the Go types of the operators' custom resources. No engine and no cluster is needed.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: check compose FILE | dockerfile FILE | kustomize DIRECTORY"))
	}
	var err error
	switch os.Args[1] {
	case "compose":
		err = checkCompose(os.Args[2])
	case "dockerfile":
		err = checkDockerfile(os.Args[2])
	case "kustomize":
		err = renderKustomization(os.Args[2])
	default:
		err = fmt.Errorf("unknown check %q", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "check:", err)
	os.Exit(1)
}
