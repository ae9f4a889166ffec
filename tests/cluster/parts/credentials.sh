# Sourced: one authority for everything, and the kubeconfig of its administrator.

certify() { # NAME SUBJECT
  local names="DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:$ip,IP:10.96.0.1"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -out "$1.crt" \
    -extfile <(echo "subjectAltName=$names") 2>/dev/null
}

make_credentials() {
  mkdir -p "$pki"
  cd "$pki"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=ca \
    -keyout ca.key -out ca.crt 2>/dev/null
  certify apiserver /CN=kube-apiserver
  certify admin /O=system:masters/CN=admin
  certify proxy /CN=aggregator
  openssl genrsa -out sa.key 2048 2>/dev/null
  (umask 077
  kubectl config set-cluster c --server="https://$ip:16443" --certificate-authority=ca.crt --embed-certs
  kubectl config set-credentials admin --client-certificate=admin.crt --client-key=admin.key --embed-certs
  kubectl config set-context c --cluster=c --user=admin
  kubectl config use-context c) >/dev/null
  cd "$state"
}
