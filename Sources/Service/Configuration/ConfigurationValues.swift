import Checkpoint
import Configuration
import Foundation
import JobModel
import SystemPackage
import Yams

/// Typed access to the configuration's values, with errors that name key and value.
struct ConfigurationValues {
  private let reader: ConfigReader

  init(file: String?, environment: [String: String]) async throws {
    var providers: [any ConfigProvider] = [
      EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(with: "gptqd")
    ]
    let file = file ?? (FileManager.default.fileExists(atPath: ServiceConfiguration.defaultFile) ? ServiceConfiguration.defaultFile : nil)
    if let file {
      try Self.checkKeys(file)
      do {
        providers.append(try await FileProvider<YAMLSnapshot>(filePath: FilePath(file)))
      } catch {
        throw ConfigurationError.notYAML(file: file, reason: Self.redacted("\(error)"))
      }
    }
    reader = ConfigReader(providers: providers)
  }

  /// Largest configuration file, in bytes: a small file of YAML aliases can stand for gigabytes, so those are refused too.
  private static let sizeLimit = 1 << 20

  /// The library takes any key; a misspelt one would be ignored in silence.
  private static func checkKeys(_ file: String) throws(ConfigurationError) {
    let data: Data
    do {
      data = try Data(contentsOf: URL(filePath: file))
    } catch {
      throw .unreadable(file: file, reason: error.reason)
    }
    guard data.count <= sizeLimit, let text = String(validating: data, as: UTF8.self) else {
      throw .notYAML(file: file, reason: "it is larger than \(sizeLimit) bytes or not UTF-8")
    }
    let parser: Yams.Parser
    let node: Node?
    do {
      parser = try Yams.Parser(yaml: text)
      node = try parser.singleRoot()
    } catch {
      throw .notYAML(file: file, reason: redacted("\(error)"))
    }
    guard let node else { throw .notYAML(file: file, reason: "it is empty; a file with only comments needs at least one key") }
    // The nodes' anchors live as long as the parser.
    defer { withExtendedLifetime(parser) {} }
    try checkKeys(node, prefix: [], file: file)
  }

  /// Yams shows the lines around an error, and those may have tokens.
  private static func redacted(_ text: String) -> String { text.replacing(/[0-9A-Za-z_-]{32,}/, with: "…") }

  private static func checkKeys(_ node: Node, prefix: [String], file: String) throws(ConfigurationError) {
    let known = ConfigurationKey.allCases.map(\.rawValue)
    let key = prefix.joined(separator: ".")
    if let anchor = node.anchor {
      throw .notYAML(file: file, reason: "it has the anchor &\(anchor.rawValue); write values where they are needed")
    }
    if case .mapping(let mapping) = node {
      guard !known.contains(key) else { throw .invalidValue(key: key, value: "a mapping", expected: "a single value") }
      guard key.isEmpty || known.contains(where: { $0.hasPrefix(key + ".") }) else { throw .unknownKey(key, file: file, known: known) }
      for (name, value) in mapping {
        guard let name = name.string else { throw .notYAML(file: file, reason: "a key is not a word") }
        try checkKeys(value, prefix: prefix + [name], file: file)
      }
      return
    }
    guard !key.isEmpty else { throw .notYAML(file: file, reason: "it has no keys at its top; expected is such as \"log: {level: info}\"") }
    guard known.contains(key) else { throw .unknownKey(key, file: file, known: known) }
    switch node {
    case .sequence(let elements):
      let expected = ConfigurationKey(rawValue: key)?.listContent.map { "a list of \($0)" }
      guard expected != nil, elements.allSatisfy({ $0.scalar != nil && $0.anchor == nil }) else {
        throw .invalidValue(key: key, value: "a list", expected: expected ?? "a single value")
      }
    case .scalar(let scalar):
      if node.null != nil, !scalar.string.isEmpty {
        throw .invalidValue(key: key, value: scalar.string, expected: "a value, or left out for the default")
      }
    case .mapping, .alias: throw .invalidValue(key: key, value: "an alias", expected: "a single value")
    }
  }

  func string(_ key: ConfigurationKey) -> String? {
    reader.string(forKey: ConfigKey(key.rawValue)).flatMap { $0.isEmpty ? nil : $0 }
  }

  func value<Value>(_ key: ConfigurationKey, expected: String, _ convert: (String) -> Value?) throws(ConfigurationError) -> Value? {
    guard let text = string(key) else { return nil }
    guard let value = convert(text) else { throw .invalidValue(key: key.rawValue, value: text, expected: expected) }
    return value
  }

  func integer(_ key: ConfigurationKey, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
    try value(key, expected: "an integer from \(range.lowerBound) to \(range.upperBound)") { text in
      Int(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  /// A number of bytes, or such as 12GiB or 500MiB.
  func bytes(_ key: ConfigurationKey) throws(ConfigurationError) -> Int? {
    try value(key, expected: ByteSize.expected) { ByteSize($0)?.bytes }
  }

  func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: ConfigurationKey, of type: Choice.Type
  ) throws(ConfigurationError) -> Choice? where Choice.RawValue == String {
    try value(key, expected: "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", ")) { Choice(rawValue: $0.lowercased()) }
  }

  func folder(_ key: ConfigurationKey) throws(ConfigurationError) -> URL? {
    guard let path = string(key) else { return nil }
    return try Self.folder(path, key)
  }

  /// A list, or values with commas between.
  func list(_ key: ConfigurationKey) -> [String] {
    let texts = reader.stringArray(forKey: ConfigKey(key.rawValue)) ?? string(key).map { [$0] } ?? []
    return texts.flatMap { $0.split(separator: ",") }.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
  }

  func tokens() throws(ConfigurationError) -> [AccessToken] {
    var tokens: [AccessToken] = []
    for (position, text) in list(.tokens).enumerated() {
      let token = try AccessToken(parsing: text, entry: position + 1)
      guard !tokens.contains(where: { $0.name == token.name }) else {
        throw .invalidToken(entry: position + 1, name: token.name, reason: "has the name of an earlier one; each needs its own")
      }
      guard !tokens.contains(where: { $0.hash == token.hash }) else {
        throw .invalidToken(entry: position + 1, name: token.name, reason: "is the same token as an earlier one; remove one of them")
      }
      tokens.append(token)
    }
    return tokens
  }

  /// As `list`.
  func folders(_ key: ConfigurationKey) throws(ConfigurationError) -> [URL]? {
    let paths = list(key)
    guard !paths.isEmpty else { return nil }
    var folders: [URL] = []
    for path in paths { folders.append(try Self.folder(path, key)) }
    return folders
  }

  private static func folder(_ path: String, _ key: ConfigurationKey) throws(ConfigurationError) -> URL {
    guard !path.contains("\0") else {
      throw .invalidValue(key: key.rawValue, value: path.replacing("\0", with: "\\0"), expected: "a path")
    }
    let isInHome = path == "~" || path.hasPrefix("~/")
    return URL(filePath: isInHome ? NSHomeDirectory() + path.dropFirst() : path, directoryHint: .isDirectory).absoluteURL
  }
}
