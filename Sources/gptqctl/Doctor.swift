import ArgumentParser
import Foundation

struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Finds out what is wrong between here and the server.",
    discussion: """
      Checks one thing after the other, from the address to the models, and says what to do about what is wrong. \
      Exit code 0: all is well; 1: something is wrong.
      """)

  @OptionGroup var server: ServerOptions

  func run() async throws {
    let address = server.address
    let diagnosis = Diagnosis(address: address.text, source: address.source, token: server.presentedToken)
    var findings: [Finding] = []
    for await finding in diagnosis.findings() {
      findings.append(finding)
      if !server.json { print(finding.text) }
    }
    let isWell = findings.allSatisfy(\.passed)
    if server.json { Terminal.printJSON(try JSONEncoder.findings.encode(Findings(ok: isWell, checks: findings))) }
    if !isWell { throw ExitCode.failure }
  }

  private struct Findings: Encodable {
    let ok: Bool
    let checks: [Finding]
  }
}

/// What a check found.
package struct Finding: Encodable, Sendable, Hashable {
  package let name: String
  package let passed: Bool
  package let detail: String
  /// What to do; nil where there is nothing to do.
  package let advice: String?

  static func right(_ name: String, _ detail: String) -> Finding { Finding(name: name, passed: true, detail: detail, advice: nil) }

  static func wrong(_ name: String, _ detail: String, advice: String) -> Finding {
    Finding(name: name, passed: false, detail: detail, advice: advice)
  }

  package var text: String { "\(passed ? "✓" : "✗") \(name): \(detail)" + (advice.map { "\n  → " + $0 } ?? "") }
}

extension JSONEncoder {
  fileprivate static var findings: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
    return encoder
  }
}
