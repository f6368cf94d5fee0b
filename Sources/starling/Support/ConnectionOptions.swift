import ArgumentParser
import ClusterPrimitives
import StarlingClient

/// The options about the cluster that a command talks to.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Profile to use: a file, or a name in ~/.config/starling/profiles.yaml.",
            discussion: "By default ./starling-dev/client.yaml, else the current profile.",
            valueName: "name|file"
        )
    )
    var profile: String?

    @Option(help: "What local means in a consistency level, instead of the profile's.")
    var datacenter: String?

    @Option(help: "How long a request may take: 500ms, 2s.")
    var timeout = DurationText(.seconds(2))

    func validate() throws {
        guard timeout.duration > .zero else {
            throw ValidationError("--timeout must be longer than nothing, such as 500ms or 2s.")
        }
    }

    /// The configuration of a client that follows these options.
    func configuration() throws -> ClientConfiguration {
        let location = try ProfileDiscovery.location(argument: profile)
        let profile = try ProfileDiscovery.profile(at: location)
        var configuration = ClientConfiguration(
            cluster: profile.cluster,
            nodes: profile.endpoints,
            datacenter: datacenter ?? profile.datacenter,
            authorityFile: profile.authority,
            certificateFile: profile.certificate,
            keyFile: profile.key
        )
        configuration.requestTimeout = timeout.duration
        configuration.software = "starling/\(Starling.version)"
        return configuration
    }
}

/// The options of a request for data.
struct ConsistencyOptions: ParsableArguments {
    @Option(
        name: [.customShort("c"), .customLong("consistency")],
        help: ArgumentHelp(
            "How many replicas must answer: ONE, TWO, THREE, QUORUM, ALL, LOCAL_ONE, "
                + "LOCAL_QUORUM, EACH_QUORUM, or raw, r=2 or w=1. Default: the keyspace's.",
            valueName: "level"
        ),
        transform: ConsistencyOptions.level
    )
    var consistency: ConsistencyLevel?

    /// The level of a text.
    static func level(_ text: String) throws -> ConsistencyLevel {
        guard let level = ConsistencyLevel(text) else {
            let names = ConsistencyLevel.named.map(\.description).joined(separator: ", ")
            throw ValidationError(
                "'\(text)' is no consistency level. Use one of \(names), or r=N or w=N."
            )
        }
        return level
    }
}
