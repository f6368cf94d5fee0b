/// What is measured: everything that the command line decides.
struct Plan {
    var engines: [EngineName]
    /// Keys of 256 B values.
    var keys: Int
    var valueSizes: [Int]
    var rounds: Int
    var seconds: Double
    /// The names of the steps to do; nil for all.
    var steps: Set<String>?

    /// One kind of data; the engines are compared on each by itself.
    struct Data {
        var keys: Int
        var valueSize: Int
        var isCompressed: Bool

        /// Bytes of keys and values.
        var size: Int { keys * (16 + valueSize) }

        var name: String {
            "\(valueSize) B values, \(Figure.text(Double(keys))) keys, "
                + (isCompressed ? "zlib level 1" : "no compression")
        }
    }

    /// All kinds of data, those without compression first.
    var data: [Data] {
        [false, true].flatMap { isCompressed in
            valueSizes.map { size in
                Data(
                    keys: max(1000, keys * 256 / size),
                    valueSize: size,
                    isCompressed: isCompressed
                )
            }
        }
    }

    /// The steps on one kind of data, in their order.
    func steps(of data: Data) -> [Step] {
        Step.all.filter { step in
            (!data.isCompressed || step.isDoneCompressed)
                && (step.name == "fill" || steps?.contains(step.name) ?? true)
        }
    }

    /// The engines that can store one kind of data.
    func engines(of data: Data) -> [EngineName] {
        engines.filter { !data.isCompressed || $0.knowsZlib }
    }
}
