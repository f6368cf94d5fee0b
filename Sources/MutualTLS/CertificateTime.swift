import COpenSSL

/// A moment in a certificate: whole seconds of UTC.
package struct CertificateTime: Hashable, Comparable, Sendable {
    /// Seconds since the beginning of 1970, without leap seconds.
    package let secondsSince1970: Int64

    /// Takes a moment by its seconds since 1970.
    package init(secondsSince1970: Int64) {
        self.secondsSince1970 = secondsSince1970
    }

    /// Reads a field of a certificate; nil when it is absent or malformed.
    init?(_ field: UnsafePointer<ASN1_TIME>?) {
        guard let field, let epoch = ASN1_TIME_set(nil, 0) else {
            ErrorQueue.clear()
            return nil
        }
        defer { ASN1_STRING_free(epoch) }
        var days: Int32 = 0
        var seconds: Int32 = 0
        guard ASN1_TIME_diff(&days, &seconds, epoch, field) == 1 else {
            ErrorQueue.clear()
            return nil
        }
        secondsSince1970 = Int64(days) * 86_400 + Int64(seconds)
    }

    package static func < (left: CertificateTime, right: CertificateTime) -> Bool {
        left.secondsSince1970 < right.secondsSince1970
    }
}

extension CertificateTime: CustomStringConvertible {
    /// The moment in the form of ISO 8601, such as `2026-01-31T23:59:59Z`.
    package var description: String {
        let day =
            secondsSince1970 >= 0 ? secondsSince1970 / 86_400 : (secondsSince1970 - 86_399) / 86_400
        let second = secondsSince1970 - day * 86_400
        // Hinnant, "chrono-compatible low-level date algorithms": eras of 400 years from March.
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return "\(padded(year, to: 4))-\(padded(month, to: 2))-\(padded(dayOfMonth, to: 2))"
            + "T\(padded(second / 3600, to: 2)):\(padded(second / 60 % 60, to: 2))"
            + ":\(padded(second % 60, to: 2))Z"
    }

    private func padded(_ number: Int64, to width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
