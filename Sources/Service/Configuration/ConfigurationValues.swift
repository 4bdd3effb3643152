import Configuration
import Foundation
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
        throw ConfigurationError.notYAML(file: file, reason: "\(error)")
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
      throw .unreadable(file: file, reason: error.localizedDescription)
    }
    guard data.count <= sizeLimit, let text = String(validating: data, as: UTF8.self) else {
      throw .notYAML(file: file, reason: "it is larger than \(sizeLimit) bytes or not UTF-8")
    }
    let node: Node?
    do {
      node = try Yams.compose(yaml: text)
    } catch {
      throw .notYAML(file: file, reason: "\(error)")
    }
    guard let node else { throw .notYAML(file: file, reason: "it is empty; a file with only comments needs at least one key") }
    try checkKeys(node, prefix: [], file: file)
  }

  private static func checkKeys(_ node: Node, prefix: [String], file: String) throws(ConfigurationError) {
    let known = ConfigurationKey.allCases.map(\.rawValue)
    let key = prefix.joined(separator: ".")
    switch node {
    case .mapping(let mapping):
      guard !known.contains(key) else { throw .invalidValue(key: key, value: "a mapping", expected: "a single value") }
      for (name, value) in mapping { try checkKeys(value, prefix: prefix + [name.string ?? "\(name)"], file: file) }
    case .scalar(let scalar):
      guard !prefix.isEmpty else { throw .notYAML(file: file, reason: "it holds \"\(scalar.string.prefix(40))\", not keys and values") }
      guard known.contains(key) else { throw .unknownKey(key, file: file, known: known) }
    case .sequence:
      guard !prefix.isEmpty else { throw .notYAML(file: file, reason: "it holds a list, not keys and values") }
      guard known.contains(key) else { throw .unknownKey(key, file: file, known: known) }
      guard key.hasSuffix(".roots") else { throw .invalidValue(key: key, value: "a list", expected: "a single value") }
    case .alias(let alias):
      throw .notYAML(file: file, reason: "it has the alias \(alias.anchor.rawValue); write the value itself")
    }
  }

  func string(_ key: ConfigurationKey) -> String? {
    reader.string(forKey: ConfigKey(key.rawValue)).flatMap { $0.isEmpty ? nil : $0 }
  }

  private func value<Value>(_ key: ConfigurationKey, expected: String, _ convert: (String) -> Value?) throws(ConfigurationError) -> Value? {
    guard let text = string(key) else { return nil }
    guard let value = convert(text) else { throw .invalidValue(key: key.rawValue, value: text, expected: expected) }
    return value
  }

  func integer(_ key: ConfigurationKey, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
    try value(key, expected: "an integer from \(range.lowerBound) to \(range.upperBound)") { text in
      Int(text).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  func bool(_ key: ConfigurationKey) throws(ConfigurationError) -> Bool? {
    try value(key, expected: "true or false") { Bool($0.lowercased()) }
  }

  func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: ConfigurationKey, of type: Choice.Type
  ) throws(ConfigurationError) -> Choice? where Choice.RawValue == String {
    try value(key, expected: "one of " + Choice.allCases.map(\.rawValue).joined(separator: ", ")) { Choice(rawValue: $0.lowercased()) }
  }

  func folder(_ key: ConfigurationKey) -> URL? { string(key).map(Self.folder) }

  /// A list, or names with commas between.
  func folders(_ key: ConfigurationKey) throws(ConfigurationError) -> [URL]? {
    let names = reader.stringArray(forKey: ConfigKey(key.rawValue)) ?? string(key).map { [$0] }
    guard let names else { return nil }
    let folders = names.flatMap { $0.split(separator: ",") }.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    guard !folders.isEmpty else { throw .invalidValue(key: key.rawValue, value: "", expected: "at least one folder") }
    return folders.map(Self.folder)
  }

  private static func folder(_ path: String) -> URL {
    URL(filePath: path.hasPrefix("~/") ? NSHomeDirectory() + path.dropFirst() : path, directoryHint: .isDirectory).absoluteURL
  }
}
