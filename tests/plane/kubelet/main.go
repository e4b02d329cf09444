// The kubelet of the test plane: nothing but exec. kube-apiserver asks it to run a command in a container, and it runs the
// script that the test supplies, with the command as its arguments and namespace, pod and container in its environment.
//
// Usage: kubelet LISTEN_ADDRESS CERTIFICATE KEY SCRIPT
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	remote "k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// script is the program that stands for every container.
type script struct {
	path      string
	namespace string
}

// ExecInContainer runs the script; its exit code is the command's.
func (s script) ExecInContainer(ctx context.Context, pod, _, container string, command []string,
	in io.Reader, out, err io.WriteCloser, _ bool, _ <-chan remote.TerminalSize, _ time.Duration) error {
	running := exec.CommandContext(ctx, s.path, command...)
	running.Env = append(os.Environ(), "POD_NAMESPACE="+s.namespace, "POD_NAME="+pod, "CONTAINER_NAME="+container)
	running.Stdin = in
	if out != nil {
		running.Stdout = out
	}
	if err != nil {
		running.Stderr = err
	}
	failure := running.Run()
	if exit, ok := failure.(*exec.ExitError); ok {
		return utilexec.CodeExitError{Err: exit, Code: exit.ExitCode()}
	}
	return failure
}

// serve answers POST and GET /exec/NAMESPACE/POD/CONTAINER?command=...
func serve(path string) http.HandlerFunc {
	return func(answer http.ResponseWriter, request *http.Request) {
		parts := strings.Split(strings.TrimPrefix(request.URL.Path, "/exec/"), "/")
		if !strings.HasPrefix(request.URL.Path, "/exec/") || len(parts) < 3 {
			http.NotFound(answer, request)
			return
		}
		namespace, pod, container := parts[0], parts[1], parts[len(parts)-1]
		options, err := remote.NewOptions(request)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusBadRequest)
			return
		}
		remote.ServeExec(answer, request, script{path, namespace}, pod, "", container, request.URL.Query()["command"],
			options, time.Minute, time.Minute, remote.SupportedStreamingProtocols)
	}
}

func main() {
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: kubelet LISTEN_ADDRESS CERTIFICATE KEY SCRIPT")
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err == nil {
		err = http.ServeTLS(listener, serve(os.Args[4]), os.Args[2], os.Args[3])
	}
	fmt.Fprintln(os.Stderr, "failed to serve:", err)
	os.Exit(1)
}
