#!/bin/bash
# bed up: start a new one-node Kubernetes (new keys, empty etcd) and print its kubeconfig path.
# No effect if it is already up. Everything runs in its own network and mount namespace, so the host's routes,
# iptables rules and mounts do not change; only a veth pair connects the two.
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || die "run as root"
need etcd containerd ctr runc iptables conntrack openssl nsenter ip python3
[ -d /usr/lib/cni ] || die "/usr/lib/cni does not exist; see README.md, \"Requirements\""
for b in hyper pause coredns local-path-provisioner; do [ -x "$BIN/$b" ] || die "$BIN/$b does not exist; run \"bed build\" first"; done
[ -x "$BIN/kubectl" ] || need kubectl
if [ -n "$(holder)" ] && [ -f "$RUN/ready" ] && kubectl get --raw /readyz >/dev/null 2>&1; then
    say "already up"; say "$KUBECONFIG"; exit 0
fi
# Addresses, the veth pair and the kubelet's cgroups exist once per machine, so a second bed would break the first.
# Never touch a bed in another folder, even a degraded one.
other=$(traces | awk -v b="$BED" '$2 != b {print $2}' | sort -u | head -n 1)
[ -z "$other" ] || die "another bed in $other is running or degraded; stop it with: BED=$other bed down"
[ -z "$(holder)" ] || say "the bed in $BED is degraded; starting a new one"
"$CMD/down.sh" >/dev/null
! ip link show $VETH >/dev/null 2>&1 || die "link $VETH exists but no bed was found; if nothing else uses it, run: ip link del $VETH"
[ -z "$(find /sys/fs/cgroup -path '*/kubepods*' -name cgroup.procs -exec cat {} + 2>/dev/null)" ] || die "pods of another kubelet are running on this machine; the bed needs the cgroup kubepods for itself"
T0=$(now)
mkdir -p "$RUN"/{log,pki,cni,mnt} "$CTRD"; cd "$RUN"
for c in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy; do ln -sf hyper "$BIN/$c"; done

# ---- namespaces: in the private mount namespace, the fixed folders of Kubernetes and containerd are bind-mounted
# to folders in $RUN, so that hostPath mounts of them work and nothing stays on the host.
# Do not use "ip netns exec": it remounts /sys, which hides cgroup v1.
for d in $BOUND; do
    [ -d "$d" ] || { mkdir -p "$d"; echo "$d" >>made; }
    mkdir -p "mnt$d"
done
setsid unshare --net --mount --propagation private -- sleep infinity >/dev/null 2>&1 </dev/null &
echo $! >holder.pid; H=$!
for _ in $(seq 50); do [ "$(readlink /proc/$H/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ] && break; sleep 0.1; done
readlink "/proc/$H/ns/mnt" >holder.ns
for _ in $(seq 50); do [ "$(readlink /proc/$H/exe)" = "$(readlink -f "$(command -v sleep)")" ] && break; sleep 0.1; done
inside mount --make-rshared /
for d in $BOUND; do inside mount --bind "$RUN/mnt$d" "$d"; done
mkdir -p etcd && inside mount -t tmpfs -o mode=700 etcd "$RUN/etcd"     # no fsync latency
ip link add $VETH type veth peer name eth0 netns "$H"
ip addr add $HOST_IP/24 dev $VETH; ip link set $VETH up
inside sh -c "ip link set lo up; ip addr add $NODE_IP/24 dev eth0; ip link set eth0 up; ip route add default via $HOST_IP
    sysctl -qw net.ipv4.ip_forward=1; sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null || true"

# ---- keys
newca() { openssl ecparam -name prime256v1 -genkey -noout -out "pki/$1.key"; openssl req -x509 -new -key "pki/$1.key" -days 365 -subj "/CN=$1" -out "pki/$1.crt"; }
cert() { # NAME SUBJECT [SAN]
    openssl ecparam -name prime256v1 -genkey -noout -out "pki/$1.key"
    openssl req -new -key "pki/$1.key" -subj "$2" |
        openssl x509 -req -CA pki/ca.crt -CAkey pki/ca.key -set_serial 0x$(openssl rand -hex 8) -days 365 -out "pki/$1.crt" \
            -extfile <(echo "extendedKeyUsage=serverAuth,clientAuth"; [ -z "${3:-}" ] || echo "subjectAltName=$3") 2>/dev/null
}
conf() { # NAME: write a kubeconfig with inline certificates, so that the file can be copied
    cat >"$1.kubeconfig" <<C
apiVersion: v1
kind: Config
clusters: [{name: bed, cluster: {server: "https://$NODE_IP:6443", certificate-authority-data: $(base64 -w0 pki/ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "pki/$1.crt"), client-key-data: $(base64 -w0 "pki/$1.key")}}]
contexts: [{name: bed, context: {cluster: bed, user: $1}}]
current-context: bed
C
    chmod 600 "$1.kubeconfig"
}
umask 077
newca ca; openssl ecparam -name prime256v1 -genkey -noout -out pki/sa.key; openssl ec -in pki/sa.key -pubout -out pki/sa.pub 2>/dev/null
cert apiserver /CN=kube-apiserver "IP:10.96.0.1,IP:$NODE_IP,IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
cert admin /O=system:masters/CN=admin
cert kcm /CN=system:kube-controller-manager
cert sched /CN=system:kube-scheduler
cert proxy /CN=system:kube-proxy
cert kubelet /O=system:nodes/CN=system:node:$NODE "IP:$NODE_IP,DNS:$NODE"
cert front /CN=front-proxy-client
for u in admin kcm sched proxy kubelet; do conf $u; done
umask 022

# ---- etcd, containerd, API server
start etcd etcd --data-dir "$RUN/etcd/data" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --quota-backend-bytes 1073741824
cat >cni/10-bed.conflist <<C
{"cniVersion":"1.0.0","name":"bed","plugins":[
 {"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"hairpinMode":true,
  "ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.0.0/20"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
C
# restrict_oom_score_adj: without CAP_SYS_RESOURCE, no process may lower its OOM score
cat >containerd.toml <<C
version = 2
root = "$CTRD/root"
state = "$RUN/containerd-state"
[grpc]
  address = "$RUN/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$RUN/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$RUN/cni"
C
start containerd containerd -c "$RUN/containerd.toml"
wait_for 20 etcd "etcd to answer" grep -q "ready to serve client requests" "$RUN/log/etcd.log"
# WatchList needs etcd 3.4.25. With an older etcd it breaks every watch of client-go 0.35 and later.
start apiserver "$BIN/kube-apiserver" --feature-gates=WatchList=false --etcd-servers=http://127.0.0.1:2379 --bind-address=0.0.0.0 --secure-port=6443 \
    --advertise-address=$NODE_IP --service-cluster-ip-range=10.96.0.0/16 --authorization-mode=Node,RBAC --allow-privileged=true \
    --enable-admission-plugins=NodeRestriction --kubelet-preferred-address-types=InternalIP \
    --tls-cert-file=pki/apiserver.crt --tls-private-key-file=pki/apiserver.key --client-ca-file=pki/ca.crt \
    --kubelet-certificate-authority=pki/ca.crt --kubelet-client-certificate=pki/admin.crt --kubelet-client-key=pki/admin.key \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=pki/sa.pub --service-account-signing-key-file=pki/sa.key \
    --requestheader-client-ca-file=pki/ca.crt --requestheader-allowed-names=front-proxy-client --requestheader-username-headers=X-Remote-User \
    --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file=pki/front.crt --proxy-client-key-file=pki/front.key
wait_for 20 containerd "containerd to answer" ctr -a "$RUN/containerd.sock" version
"$CMD/images.sh" pause busybox coredns local-path-provisioner
wait_for 60 apiserver "the API server to be ready" kubectl get --raw /readyz

# ---- the rest of the control plane, with high client rates because scale tests would hit the defaults; then the node
start kcm "$BIN/kube-controller-manager" --kubeconfig=kcm.kubeconfig --service-account-private-key-file=pki/sa.key \
    --root-ca-file=pki/ca.crt --cluster-signing-cert-file=pki/ca.crt --cluster-signing-key-file=pki/ca.key \
    --use-service-account-credentials=true --leader-elect=false --allocate-node-cidrs=false --kube-api-qps=300 --kube-api-burst=600
start sched "$BIN/kube-scheduler" --kubeconfig=sched.kubeconfig --leader-elect=false --kube-api-qps=300 --kube-api-burst=600
echo "nameserver 127.0.0.1" >resolv.conf    # no upstream DNS: names outside the cluster do not exist
cat >kubelet.yaml <<C
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $RUN/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $RUN/pki/kubelet.crt
tlsPrivateKeyFile: $RUN/pki/kubelet.key
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
cgroupDriver: cgroupfs
failCgroupV1: false         # since 1.35 the kubelet refuses cgroup v1 by default
failSwapOn: false
containerRuntimeEndpoint: unix://$RUN/containerd.sock
resolvConf: $RUN/resolv.conf
imageGCHighThresholdPercent: 100    # never collect images: the bed cannot pull them again
evictionHard: {memory.available: 100Mi, nodefs.available: "1%", imagefs.available: "1%"}
maxPods: 250
nodeStatusMaxImages: -1      # tests read the list of images from the node's status
C
start kubelet "$BIN/kubelet" --kubeconfig=kubelet.kubeconfig --config=kubelet.yaml --hostname-override=$NODE --node-ip=$NODE_IP
start proxy "$BIN/kube-proxy" --kubeconfig=proxy.kubeconfig --cluster-cidr=10.244.0.0/16 --hostname-override=$NODE --conntrack-max-per-core=0 --proxy-mode=iptables
kubectl apply -f "$HERE/cluster.yaml" >"$RUN/log/apply.log" 2>&1 || { cat "$RUN/log/apply.log" >&2; die "the API server rejected cluster.yaml"; }
wait_for 60 kubelet "node $NODE to be Ready" kubectl wait --for=condition=Ready node/$NODE --timeout=1s
wait_for 60 kubelet "CoreDNS to be available" kubectl -n kube-system wait --for=condition=Available deploy/coredns --timeout=1s
wait_for 60 kubelet "local-path-provisioner to be available" kubectl -n local-path-storage wait --for=condition=Available deploy/local-path-provisioner --timeout=1s
touch ready
say "up in $(secs $T0) s: Kubernetes $(kubectl version 2>/dev/null | sed -n 's/^Server Version: //p'), API https://$NODE_IP:6443"
say "$KUBECONFIG"
