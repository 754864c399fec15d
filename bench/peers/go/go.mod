module fetchmill.bench/peer

go 1.19
