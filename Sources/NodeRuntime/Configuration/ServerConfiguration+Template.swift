extension ServerConfiguration {
    /// A configuration file with every key explained; optional ones are commented out with their
    /// defaults.
    package static let template = """
        # Configuration of one Starling node. Keys that are not listed here are refused.
        # Relative paths begin at the directory of this file.

        # The node's name: a member of the topology, and the name in its certificate.
        name: dc1-n1

        # Where the node keeps its data. It is locked while the node runs, and belongs to this
        # node of this cluster alone.
        data_directory: data

        # The founding topology, the same file for every node; made by
        # `starling topology init MEMBERS.yaml`. Read at the first start.
        topology: topology.yaml

        # TLS: the certificates that others' must descend from, this node's own, its private key.
        # SIGHUP reads these files again; connections made afterwards use them.
        certificate_authority: certs/ca.crt
        certificate: certs/dc1-n1.crt
        key: certs/dc1-n1.key

        # Certificates that are no longer accepted (PEM).
        # certificate_revocation_list: certs/ca.crl

        # Secrets of the cluster, shared by all nodes, beside the node's key. The first makes the
        # contexts that clients carry, all of them are accepted: while rotating, list both.
        cluster_secrets: [certs/dc1-n1.secret]

        # Addresses to listen on, where they differ from the member's endpoints in the topology.
        # peer_listen: 0.0.0.0:7400
        # client_listen: 0.0.0.0:7401

        # Event loops for requests, 1 to 64; by default the machine's cores, at most 4.
        # lanes: 4

        # When a write counts as durable: `group` answers after the log's sync (one for all that
        # wait), `periodic` once the system has the bytes, with a sync each interval (1 to 10000
        # ms): only a crash of the machine then loses the writes of the last interval.
        # durability: group
        # periodic_interval_ms: 10

        # Memory for memtables, at least 4MiB. Sizes: plain bytes, KiB, MiB or GiB.
        # memory_budget: 64MiB

        # How the store works: memory for blocks of tables; room on the disk that is kept free, below
        # which values are refused while reads, deletions and compaction go on (0 keeps none);
        # compactions at the same time, 1 to 64; files of tables held open, 16 to 1048576.
        # storage:
        #   cache_size: 64MiB
        #   disk_reserve: 256MiB
        #   parallel_compactions: 2
        #   open_files: 512

        # The longest value a client may write; at most 8MiB.
        # maximum_value_size: 1MiB

        # Connections at once. Clients and peers beyond the maximum are refused; of those that have
        # not said who they are the oldest is closed, and each after the timeout (100 to 60000 ms).
        # maximum_client_connections: 10000
        # maximum_peer_connections: 4096
        # maximum_unauthenticated_connections: 1024
        # handshake_timeout_ms: 5000

        # Log lines on standard error: `text` for people, `json` for machines; and the least level
        # that is logged: trace, debug, info, notice, warning or error. SIGHUP reads the level again.
        # log_format: text
        # log_level: info

        # Lets admins cut nodes off from each other, for tests. Never where data matters.
        # fault_injection: false

        """
}
