import Foundation

/// All measurements of a run, engine after engine within each step, round after round.
struct Campaign {
    let plan: Plan
    /// A folder for the stores, which is deleted.
    let data: URL

    /// What was measured on one kind of data.
    struct Table: Encodable {
        /// One process.
        struct Measurement: Encodable {
            let engine: EngineName
            let step: String
            let round: Int
            /// The load of one minute before it began.
            let load: Double
            let figures: [String: Double]
        }

        let name: String
        let engines: [EngineName]
        var measurements: [Measurement] = []
        var failures: [String] = []

        /// The median of a row's figure over the rounds.
        func median(_ row: Row, of engine: EngineName) -> Double? {
            let values = measurements.filter { $0.engine == engine && $0.step == row.step }
                .compactMap { row.value($0.figures) }.sorted()
            guard !values.isEmpty else { return nil }
            let middle = values.count / 2
            return values.count % 2 == 1
                ? values[middle] : (values[middle - 1] + values[middle]) / 2
        }
    }

    /// Measures everything; a step that fails is told in the table and ends nothing else.
    mutating func run() throws -> [Table] {
        try plan.data.map { kind in
            var table = Table(name: kind.name, engines: plan.engines(of: kind))
            for round in 1...plan.rounds {
                try removeData()
                // Each round another engine begins, so that none always comes after the same.
                let shift = (round - 1) % max(1, table.engines.count)
                let order = table.engines[shift...] + table.engines[..<shift]
                for step in plan.steps(of: kind) {
                    for engine in order where !step.isOfOursOnly || engine.tellsIndexMemory {
                        measure(step, engine, on: kind, round, into: &table)
                    }
                }
            }
            try removeData()
            return table
        }
    }

    private func measure(
        _ step: Step,
        _ engine: EngineName,
        on kind: Plan.Data,
        _ round: Int,
        into table: inout Table
    ) {
        let isOwn = step.place == .own
        let name = isOwn ? "\(engine.rawValue)-\(step.name)" : engine.rawValue
        let directory = data.appending(path: name)
        defer {
            if isOwn { try? FileManager.default.removeItem(at: directory) }
        }
        // What an earlier step has left for the kernel to write is not this one's cost.
        sync()
        let load = Machine.load
        do {
            let figures = try Driver(engine).run(
                step,
                on: kind,
                in: directory,
                seconds: plan.seconds
            )
            table.measurements.append(
                Table.Measurement(
                    engine: engine,
                    step: step.name,
                    round: round,
                    load: load,
                    figures: figures
                )
            )
            tell("\(kind.name), round \(round) of \(plan.rounds), \(step.name): \(engine.rawValue)")
        } catch {
            table.failures.append("\(step.name), round \(round): \(error)")
            tell("\(kind.name), round \(round) of \(plan.rounds), \(step.name): \(error)")
        }
    }

    private func removeData() throws {
        if FileManager.default.fileExists(atPath: data.path) {
            try FileManager.default.removeItem(at: data)
        }
        try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
    }

    private func tell(_ line: String) {
        FileHandle.standardError.write(Data("\(line)\n".utf8))
    }
}
