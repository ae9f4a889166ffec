# Sourced: etcd, API server, controllers, scheduler, and kwok, which plays the kubelets of the nodes on paper.

start_api_server() {
  run etcd etcd --data-dir etcd --unsafe-no-fsync --initial-cluster default=http://127.0.0.1:12380 \
    --listen-client-urls http://127.0.0.1:12379 --advertise-client-urls http://127.0.0.1:12379 \
    --listen-peer-urls http://127.0.0.1:12380 --initial-advertise-peer-urls http://127.0.0.1:12380
  run apiserver kube-apiserver --etcd-servers=http://127.0.0.1:12379 \
    --bind-address=0.0.0.0 --advertise-address="$ip" --secure-port=16443 --service-cluster-ip-range=10.96.0.0/16 \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
    --authorization-mode=RBAC --allow-privileged=true --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$pki/sa.key" --service-account-signing-key-file="$pki/sa.key" \
    --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=aggregator \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file="$pki/proxy.crt" --proxy-client-key-file="$pki/proxy.key"
}

start_controllers() { # the autoscaler looks every 2 s and shrinks after 5, so that a test need not wait minutes; and a
  # thousand pods are waited for because of what they cost, not because 20 requests a second is what a client asks for
  run controller-manager kube-controller-manager --kubeconfig="$KUBECONFIG" --leader-elect=false \
    --kube-api-qps=200 --kube-api-burst=400 --bind-address=127.0.0.1 --secure-port=20257 --cert-dir=cm-certs \
    --use-service-account-credentials \
    --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" --flex-volume-plugin-dir="$state/flex" \
    --horizontal-pod-autoscaler-sync-period=2s --horizontal-pod-autoscaler-downscale-stabilization=5s
  run scheduler kube-scheduler --kubeconfig="$KUBECONFIG" --leader-elect=false \
    --kube-api-qps=200 --kube-api-burst=400 --bind-address=127.0.0.1 --secure-port=20259 --cert-dir=scheduler-certs
  run kwok kwok --kubeconfig="$KUBECONFIG" --config="$home/kwok.yaml" --server-address=127.0.0.1:10247 \
    --manage-all-nodes=false --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake --node-lease-duration-seconds=40
}
