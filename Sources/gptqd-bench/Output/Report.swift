import Foundation

/// Prints findings: tables as they come, or one JSON document at the end.
struct Report {
  private let asJSON: Bool
  private let machine = Machine()
  private var findings: [any Finding] = []

  init(asJSON: Bool) { self.asJSON = asJSON }

  mutating func add(_ finding: some Finding) {
    findings.append(finding)
    if !asJSON { Self.write(finding.text + "\n\n", to: .standardOutput) }
  }

  func finish() throws {
    guard asJSON else { return Self.write(machine.text + "\n", to: .standardOutput) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    Self.write(String(decoding: try encoder.encode(self), as: UTF8.self) + "\n", to: .standardOutput)
  }

  /// Tells on standard error what is being done.
  static func note(_ message: String) { write("… \(message)\n", to: .standardError) }

  /// At once, as the child processes write to the same terminal.
  private static func write(_ text: String, to handle: FileHandle) { handle.write(Data(text.utf8)) }
}

extension Report: Encodable {
  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(machine, forKey: Key(stringValue: "machine"))
    for finding in findings {
      let member = container.superEncoder(forKey: Key(stringValue: finding.key))
      try finding.encode(to: member)
      var goals = member.container(keyedBy: Key.self)
      try goals.encode(finding.goals, forKey: Key(stringValue: "goals"))
    }
  }
}
