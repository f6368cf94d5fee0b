import ArgumentParser
import ClusterPrimitives
import Foundation

/// How often a benchmark asks for which key.
enum KeyDistribution: ExpressibleByArgument, Equatable {
    /// Every key alike.
    case uniform
    /// The key of rank k as often as 1 / k to this power.
    case zipf(Double)

    /// Reads `uniform` or `zipf:0.99`.
    init?(argument: String) {
        if argument == "uniform" {
            self = .uniform
        } else if argument.hasPrefix("zipf:"),
            let skew = Double(argument.dropFirst("zipf:".count)), skew > 0, skew <= 10, skew != 1
        {
            self = .zipf(skew)
        } else {
            return nil
        }
    }

    /// As it is shown as a default.
    var defaultValueDescription: String {
        switch self {
        case .uniform: "uniform"
        case .zipf(let skew): "zipf:\(skew)"
        }
    }
}

/// Draws key numbers after a distribution.
struct KeyPicker: Sendable {
    private let distribution: KeyDistribution
    private let count: Int
    /// Of a Zipf distribution: the area under x^−s from ½ to count + ½.
    private let area: Double
    private var random: SeededRandom

    /// A picker among `count` keys.
    init(_ distribution: KeyDistribution, count: Int, seed: UInt64) {
        self.distribution = distribution
        self.count = max(1, count)
        random = SeededRandom(seed: seed)
        if case .zipf(let skew) = distribution {
            area = Self.integral(Double(self.count) + 0.5, skew) - Self.integral(0.5, skew)
        } else {
            area = 0
        }
    }

    private static func integral(_ x: Double, _ skew: Double) -> Double {
        pow(x, 1 - skew) / (1 - skew)
    }

    /// The next number, from 0.
    mutating func next() -> Int {
        switch distribution {
        case .uniform:
            return random.below(count)
        case .zipf(let skew):
            // The inverse of the continuous distribution, rounded to ranks.
            let reached = Self.integral(0.5, skew) + random.fraction() * area
            let rank = pow(reached * (1 - skew), 1 / (1 - skew))
            return min(max(Int(rank.rounded()), 1), count) - 1
        }
    }

    /// So many bytes that do not compress.
    mutating func bytes(_ count: Int) -> [UInt8] { random.bytes(count) }
}
