import Foundation

/// Figures as people read them.
enum Figures {
    /// `12.4 MiB`.
    static func size(_ bytes: UInt64) -> String {
        var value = Double(bytes)
        for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
            if value < 1024 || unit == "TiB" {
                return unit == "B" ? "\(bytes) B" : fixed(value, 1) + " " + unit
            }
            value /= 1024
        }
        return "\(bytes) B"
    }

    /// `16.9 %`; `100 %` and `0 %` only where they are exact.
    static func share(_ share: Double) -> String {
        if share <= 0 { return "0 %" }
        if share >= 1 { return "100 %" }
        let percent = share * 100
        if percent < 0.1 { return "<0.1 %" }
        if percent > 99.9 { return ">99.9 %" }
        return fixed(percent, 1) + " %"
    }

    /// As few digits as make sense: `48 %`.
    static func roughShare(_ share: Double) -> String {
        let percent = (share * 100).rounded()
        return share > 0 && percent < 1
            ? "<1 %"
            : share < 1 && percent > 99
                ? ">99 %" : "\(Int(percent)) %"
    }

    /// A number with this many digits behind the point.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        String(format: "%.\(digits)f", value)
    }

    /// A figure rounded for JSON, so that sums of shares do not show their binary rests.
    static func rounded(_ value: Double, _ digits: Int) -> Double {
        let scale = pow(10, Double(digits))
        return (value * scale).rounded() / scale
    }
}
