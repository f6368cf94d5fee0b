import ArgumentParser
import StarlingClient

/// The command `starling map`.
struct MapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map",
        abstract: "Read and change maps, in a keyspace of mode map.",
        subcommands: [MapShowCommand.self, MapPutCommand.self, MapRemoveCommand.self]
    )
}

/// The kind of a field as commands take it.
enum FieldKindArgument {
    /// What `--help` says.
    static let help = ArgumentHelp(
        "What the field is: register, the default, counter, set or lww-set.",
        valueName: "kind"
    )

    /// The kind of a text.
    static func kind(_ text: String) throws -> MapField.Kind {
        guard let kind = MapField.Kind(rawValue: text) else {
            let names = MapField.Kind.allCases.map(\.description).joined(separator: ", ")
            throw ValidationError("'\(text)' is no kind of field. Use one of \(names).")
        }
        return kind
    }
}

/// The command `starling map show`.
struct MapShowCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show the fields of a map; one that was never written has none.",
        discussion: """
            Printed is a line for each field with its name, kind and value, of a set a line for each
            member. Fields of one name and different kinds are different fields. Where FIELD is
            named and not there, the exit code is 2.

            EXAMPLES:
              starling map show users/ada
              starling map show users/ada visits
              starling map show users/ada -c QUORUM -o json
              starling map show users/ada --replica dc1-n2
            """
    )

    @OptionGroup var target: KeyOptions

    @Argument(help: "Only the fields of this name.")
    var field: String?

    @OptionGroup var copies: ReplicaOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func execute(_ client: StarlingClient) async throws {
        let key = target.key
        let result = try await client.fields(
            of: key.key,
            in: key.keyspace,
            options: target.readOptions,
            from: copies.replica
        )
        let contents = try selected(result)
        ReadReport.print(result, contents, key: key, output: output)
    }

    /// The fields of the name that was given.
    ///
    /// - Throws: `not_found` where one was given and there is no such field.
    private func selected(_ result: GetResult) throws -> StoredContents {
        guard let field else { return result.contents }
        let fields = result.contents.fields.filter { $0.name == Array(field.utf8) }
        guard fields.isEmpty else { return .map(fields) }
        throw CommandError(
            "not_found",
            "there is no field '\(field)' in \(target.key.text).",
            advice: "See which there are with 'starling map show \(target.key.text)'.",
            exit: .notFound,
            trailer: [("context", .string(Base64URL.text(result.context)))],
            trace: result.trace
        )
    }
}

/// The command `starling map put`.
struct MapPutCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "put",
        abstract: "Write a field of a map, add to its counter, or add a member to its set.",
        discussion: """
            An addition to a counter whose outcome is unknown (exit code 4) may have counted: read
            it before it is repeated.

            EXAMPLES:
              starling map put users/ada name "Ada Lovelace"
              starling map put users/ada photo @photo.jpg
              starling map put users/ada visits 1 --kind counter
              starling map put users/ada roles admin --kind set -c QUORUM
            """
    )

    @OptionGroup var target: KeyOptions

    @Argument(help: "The field's name.")
    var field: String

    @Argument(
        parsing: .allUnrecognized,
        help: ArgumentHelp(
            "The value, - for standard input, or @FILE for a file's bytes; of a counter the number "
                + "to add, which may be negative; of a set the member to add.",
            valueName: "value"
        )
    )
    var value: [String]

    @Option(help: FieldKindArgument.help, transform: FieldKindArgument.kind)
    var kind = MapField.Kind.register

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard try DashedArgument.only(of: value) != nil else {
            throw ValidationError("Missing expected argument '<value>'.")
        }
        if kind == .counter { _ = try DashedArgument.amount(of: value) }
    }

    func execute(_ client: StarlingClient) async throws {
        let result = try await put(client, options: target.writeOptions())
        try WriteReport.print(result, key: target.key, output: output)
    }

    private func put(_ client: StarlingClient, options: WriteOptions) async throws -> PutResult {
        let (key, field) = (target.key, Array(field.utf8))
        if kind == .counter {
            return try await client.incrementField(
                field,
                by: DashedArgument.amount(of: value) ?? 1,
                of: key.key,
                in: key.keyspace,
                options: options
            )
        }
        let bytes = try ValueArgument.bytes(DashedArgument.only(of: value) ?? "")
        if kind == .register {
            return try await client.putField(
                bytes,
                for: field,
                of: key.key,
                in: key.keyspace,
                options: options
            )
        }
        return try await client.addFieldMembers(
            [bytes],
            to: field,
            kind: kind,
            of: key.key,
            in: key.keyspace,
            options: options
        )
    }
}

/// The command `starling map remove`.
struct MapRemoveCommand: ClusterCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a field of a map, or a member of its set.",
        discussion: """
            Removed is what --context has seen, and without one what a read at the same level sees:
            what is changed in the field at the same time stays.

            EXAMPLES:
              starling map remove users/ada name
              starling map remove users/ada visits --kind counter
              starling map remove users/ada roles admin --kind set
              starling map remove users/ada roles --kind set --context AQ…
            """
    )

    @OptionGroup var target: KeyOptions

    @Argument(help: "The field's name.")
    var field: String

    @Argument(help: "The member of a set to remove; without it the whole field.")
    var value: String?

    @Option(
        help: ArgumentHelp(
            "Of which kind the field is: register, counter, set or lww-set; all that there are if "
                + "not given, with VALUE a set."
        ),
        transform: FieldKindArgument.kind
    )
    var kind: MapField.Kind?

    @Option(help: "The context of the read that this removal follows.")
    var context: String?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard value != nil, let kind, kind == .register || kind == .counter else { return }
        throw ValidationError(
            "A \(kind) has no members: leave VALUE out, or say --kind set or --kind lww-set."
        )
    }

    func execute(_ client: StarlingClient) async throws {
        let key = target.key
        let options = try target.writeOptions(context: context)
        let result: PutResult
        if let value {
            result = try await client.removeFieldMembers(
                [Array(value.utf8)],
                from: Array(field.utf8),
                kind: kind ?? .set,
                of: key.key,
                in: key.keyspace,
                options: options
            )
        } else if let kind {
            result = try await remove(kind, client, options)
        } else {
            let kinds = try await kinds(client, options)
            // Removing what is not there is no error.
            var last = try await remove(kinds.first ?? .register, client, options)
            for kind in kinds.dropFirst() { last = try await remove(kind, client, options) }
            result = last
        }
        try WriteReport.print(result, key: key, output: output)
    }

    /// The kinds of the fields of this name that the map has.
    private func kinds(
        _ client: StarlingClient,
        _ options: WriteOptions
    ) async throws -> [MapField.Kind] {
        let key = target.key
        let result = try await client.fields(
            of: key.key,
            in: key.keyspace,
            options: ReadOptions(consistency: options.consistency)
        )
        return result.contents.fields.filter { $0.name == Array(field.utf8) }.map(\.kind)
    }

    private func remove(
        _ kind: MapField.Kind,
        _ client: StarlingClient,
        _ options: WriteOptions
    ) async throws -> PutResult {
        try await client.removeField(
            Array(field.utf8),
            kind: kind,
            of: target.key.key,
            in: target.key.keyspace,
            options: options
        )
    }
}
