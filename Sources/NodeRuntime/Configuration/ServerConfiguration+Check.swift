import ClusterPrimitives
import MutualTLS
import Partitioning

extension ServerConfiguration {
    /// What is wrong with the files that the configuration names, as a start would find it.
    ///
    /// The data directory is not touched.
    package func findingsInFiles() -> [ConfigurationFinding] {
        var findings: [ConfigurationFinding] = []
        func report(_ path: String, _ message: String) {
            findings.append(ConfigurationFinding(path: path, line: nil, message: message))
        }
        var cluster: String?
        do throws(ConfigurationError) {
            let founding = try TopologyFile.read(file: topology)
            cluster = founding.clusterName
            if founding.member(named: name) == nil {
                let names = founding.members.map(\.name)
                let nearest = NearestName.of(name, among: names)
                report(
                    "name",
                    "is '\(name)', which is no member of \(founding.clusterName) in \(topology)"
                        + (nearest.map { "; did you mean '\($0)'?" } ?? "")
                )
            }
        } catch {
            report("topology", error.description)
        }
        for secret in clusterSecrets {
            do throws(TLSError) {
                _ = try CertificateAuthority.loadSecret(file: secret)
            } catch {
                report("cluster_secrets", "\(error)")
            }
        }
        if let cluster {
            do throws(NodeError) {
                _ = try RunningNode.security(self, cluster: cluster)
            } catch {
                report("certificate", "\(error)")
            }
        }
        return findings
    }
}
