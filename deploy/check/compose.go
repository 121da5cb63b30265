package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

var pinned = regexp.MustCompile(`^[^:@]+(/[^:@]+)*:v?[0-9]+\.[0-9]`)

// checkCompose loads the file as `docker compose config` does (schema, interpolation, consistency), with every profile on, and adds what that leaves
// open: images pinned by version, mounted files that exist, dependencies that can become healthy.
func checkCompose(path string) error {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithProfiles([]string{"*"}), cli.WithInterpolation(true), cli.WithConsistency(true))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	for name, service := range project.Services {
		if !pinned.MatchString(service.Image) {
			return fmt.Errorf("%s: image %q is not pinned by version", name, service.Image)
		}
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		for dependency, condition := range service.DependsOn {
			if condition.Condition == types.ServiceConditionHealthy && project.Services[dependency].HealthCheck == nil {
				return fmt.Errorf("%s waits for %s to be healthy, which has no health check", name, dependency)
			}
		}
		if service.Build != nil {
			dockerfile := filepath.Join(service.Build.Context, service.Build.Dockerfile)
			if _, err := os.Stat(dockerfile); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	fmt.Printf("%s: %d services\n", path, len(project.Services))
	return nil
}
