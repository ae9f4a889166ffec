module coredns-build

go 1.26.0
