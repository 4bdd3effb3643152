import Foundation

/// Reads what Prometheus reads, and nothing else: written from the format's description, knowing nothing of what writes it. Stricter
/// than Prometheus: a family must have its HELP and TYPE before its samples, and these in one piece.
///
/// Source: prometheus.io/docs/instrumenting/exposition_formats, prometheus.io/docs/concepts/data_model.
struct MetricsText {
  struct Wrong: Error, CustomStringConvertible { let description: String }

  struct Family {
    let name: String
    let type: String
    let help: String
    var samples: [Sample] = []

    var labels: Set<String> { Set(samples.flatMap(\.labels.keys)).subtracting(["le"]) }
  }

  struct Sample {
    let name: String
    let labels: [String: String]
    let value: Double
  }

  private(set) var families: [Family] = []

  init(_ text: String) throws {
    guard text.hasSuffix("\n"), !text.contains("\r"), !text.contains("\n\n") else {
      throw Wrong(description: "lines don't end as they must")
    }
    for line in text.split(separator: "\n") {
      do {
        try read(line)
      } catch {
        throw Wrong(description: "\(error) in: \(line)")
      }
    }
    for family in families { try Self.check(family) }
  }

  subscript(name: String) -> Family? { families.first { $0.name == name } }

  /// The value of the only sample with these labels.
  func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
    let found = families.flatMap(\.samples).filter { $0.name == name && $0.labels == labels }
    return found.count == 1 ? found[0].value : nil
  }

  private var pendingHelp: (name: String, text: String)?

  private mutating func read(_ line: Substring) throws {
    if let match = line.wholeMatch(of: /# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)/) {
      guard pendingHelp == nil else { throw Wrong(description: "HELP without TYPE") }
      guard match.2.replacing("\\\\", with: "").replacing("\\n", with: "").contains("\\") == false else {
        throw Wrong(description: "an unknown escape")
      }
      pendingHelp = (String(match.1), String(match.2))
    } else if let match = line.wholeMatch(of: /# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)/) {
      let name = String(match.1)
      guard let help = pendingHelp, help.name == name else { throw Wrong(description: "no HELP of the same name before TYPE") }
      guard self[name] == nil else { throw Wrong(description: "the family is there already") }
      pendingHelp = nil
      families.append(Family(name: name, type: String(match.2), help: help.text))
    } else {
      guard pendingHelp == nil, let family = families.last else { throw Wrong(description: "a sample before TYPE") }
      let sample = try Self.sample(line)
      let names = family.type == "histogram" ? ["_bucket", "_sum", "_count"].map { family.name + $0 } : [family.name]
      guard names.contains(sample.name) else { throw Wrong(description: "a sample of another family") }
      guard !family.samples.contains(where: { $0.name == sample.name && $0.labels == sample.labels }) else {
        throw Wrong(description: "the sample is there already")
      }
      families[families.count - 1].samples.append(sample)
    }
  }

  private static func sample(_ line: Substring) throws -> Sample {
    guard let match = line.wholeMatch(of: /([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)/) else { throw Wrong(description: "no sample") }
    let value: Double
    switch match.3 {
    case "+Inf": value = .infinity
    case "-Inf": value = -.infinity
    case "NaN": value = .nan
    default:
      guard match.3.wholeMatch(of: /-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?/) != nil, let number = Double(match.3) else {
        throw Wrong(description: "no number")
      }
      value = number
    }
    return Sample(name: String(match.1), labels: try labels(match.2 ?? ""), value: value)
  }

  private static func labels(_ text: Substring) throws -> [String: String] {
    var (labels, rest): ([String: String], Substring) = ([:], text)
    while !rest.isEmpty {
      guard let match = rest.prefixMatch(of: /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,(?=[a-zA-Z_])|$)/) else {
        throw Wrong(description: "no label")
      }
      let value = match.2.replacing("\\\\", with: "\u{0}").replacing("\\\"", with: "\"").replacing("\\n", with: "\n")
        .replacing("\u{0}", with: "\\")
      guard !match.1.hasPrefix("__"), labels.updateValue(String(value), forKey: String(match.1)) == nil else {
        throw Wrong(description: "a label that may not be")
      }
      rest = rest[match.range.upperBound...]
    }
    return labels
  }

  private static func check(_ family: Family) throws {
    if family.type == "counter" {
      guard family.name.hasSuffix("_total"), family.samples.allSatisfy({ $0.value >= 0 && $0.value.isFinite }) else {
        throw Wrong(description: "\(family.name) is no proper counter")
      }
    }
    guard family.type == "histogram" else {
      guard family.samples.allSatisfy({ $0.labels["le"] == nil }) else { throw Wrong(description: "\(family.name) has a bucket") }
      return
    }
    let groups = Dictionary(grouping: family.samples) { $0.labels.filter { $0.key != "le" } }
    for (labels, samples) in groups {
      let buckets = samples.filter { $0.name.hasSuffix("_bucket") }
      let bounds = buckets.map { $0.labels["le"] == "+Inf" ? .infinity : Double($0.labels["le"] ?? "") ?? .nan }
      let (sums, counts) = (samples.filter { $0.name.hasSuffix("_sum") }, samples.filter { $0.name.hasSuffix("_count") })
      guard sums.count == 1, counts.count == 1, sums[0].labels["le"] == nil, counts[0].labels["le"] == nil,
        bounds == Array(Set(bounds)).sorted(), bounds.last == .infinity, buckets.map(\.value) == buckets.map(\.value).sorted(),
        buckets.last?.value == counts[0].value
      else { throw Wrong(description: "\(family.name) with \(labels) is no proper histogram") }
    }
  }
}
