package main

import (
	"fmt"
	"os"

	kedav1alpha1 "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// customResources are the kinds no validator of Kubernetes' own schemas knows, by the types their operators read them into.
var customResources = map[string]func() any{
	"keda.sh/v1alpha1/ScaledObject":           func() any { return &kedav1alpha1.ScaledObject{} },
	"monitoring.coreos.com/v1/ServiceMonitor": func() any { return &monitoringv1.ServiceMonitor{} },
	"monitoring.coreos.com/v1/PrometheusRule": func() any { return &monitoringv1.PrometheusRule{} },
}

// renderKustomization builds a directory as `kubectl kustomize` does, reads custom resources strictly into their operators' types, and prints the
// rest for a validator of Kubernetes' schemas.
func renderKustomization(directory string) error {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), directory)
	if err != nil {
		return err
	}
	custom := 0
	for _, resource := range resources.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			return err
		}
		kind := resource.GetApiVersion() + "/" + resource.GetKind()
		if make, known := customResources[kind]; known {
			if err := yaml.UnmarshalStrict(text, make()); err != nil {
				return fmt.Errorf("%s %s: %w", kind, resource.GetName(), err)
			}
			custom++
			continue
		}
		fmt.Printf("---\n%s", text)
	}
	fmt.Fprintf(os.Stderr, "%s: %d resources, %d of them custom\n", directory, resources.Size(), custom)
	return nil
}
