"""What others ask of the node: parameters, services, and the bond of a lifecycle manager."""
