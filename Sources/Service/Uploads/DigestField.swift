import Crypto
import Foundation
import JobModel

/// The SHA-256 in a `Repr-Digest` or `Content-Digest` field (RFC 9530): a dictionary of byte sequences, `sha-256=:BASE64:` among them.
package enum DigestField {
  /// - Parameters:
  ///   - values: Of all fields of the name; none: nil is returned.
  ///   - name: Of the field, for messages.
  /// - Returns: In lower-case hexadecimal.
  /// - Throws: `Problem` (400), also where there are only other algorithms: what can't be checked isn't taken for right.
  package static func sha256(_ values: [String], name: String) throws(Problem) -> String? {
    guard !values.isEmpty else { return nil }
    func invalid(_ detail: String) -> Problem {
      Problem(.invalidRequest, status: 400, title: "The digest can't be used", detail: "\(name) \(detail)")
    }
    var digests: [Data] = []
    for member in values.joined(separator: ",").split(separator: ",", omittingEmptySubsequences: false) {
      guard let match = try? /[ \t]*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+\/=]*):[ \t]*/.wholeMatch(in: member) else {
        throw invalid("is \"\(values[0].prefix(80))\"; it must be such as \"sha-256=:BASE64:\"")
      }
      guard match.1 == "sha-256" else { continue }
      guard let digest = Data(base64Encoded: String(match.2)), digest.count == SHA256.byteCount else {
        throw invalid("has a sha-256 that is not 32 bytes in base64")
      }
      digests.append(digest)
    }
    guard digests.count == 1 else {
      throw invalid(digests.isEmpty ? "has no sha-256, the only one that is checked here" : "has more than one sha-256")
    }
    return digests[0].map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }
}
