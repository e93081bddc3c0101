"""What the cluster needs before Hawk: network, nodes that come and go, rights, quotas, storage."""
