"""From new data to a judged release: the steps, what each was made from, and the same steps on Kubeflow."""
