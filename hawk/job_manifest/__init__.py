"""The Kubernetes objects of a job as plain data: namespaces, policies, quotas, files, accounts, the pod."""
