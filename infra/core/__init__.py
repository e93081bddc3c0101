"""What lies beneath the cluster's pods: network, keys, cluster, database, bucket, registry, load balancer, sign-in."""
