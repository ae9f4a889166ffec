# Sourced: what makes Services work, once for all nodes, as they share one network namespace.

start_proxy() {
  cat >proxy.yaml <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {kubeconfig: $KUBECONFIG}
clusterCIDR: 10.244.0.0/16
hostnameOverride: node1
healthzBindAddress: 127.0.0.1:20256
metricsBindAddress: 127.0.0.1:20249
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
oomScoreAdj: 0
Y
  run proxy kube-proxy --config=proxy.yaml
}

start_dns() {
  cat >Corefile <<Y
.:53 {
  bind $ip
  errors
  kubernetes cluster.local {
    kubeconfig $KUBECONFIG
    ttl 2
  }
}
Y
  run coredns coredns -conf Corefile
}
