import Foundation
import StrictJSON
import Tokenization

/// Our tokenizer beside the `tokenizers` library: the ids of random strings, and how fast a text is read, on one core.
struct TokenizerBenchmark {
  let tokenizer: URL
  let text: URL
  let strings: Int
  let seed: Int
  let python: URL
  let session: Session

  private struct Peer {
    let version: String
    let seconds: Double
    let cases: [JSONValue]
  }

  func measure() throws -> TokenizerFinding {
    let ours = try Tokenizer(contentsOf: tokenizer)
    let peer = try peerRun()
    Report.note("\(strings) strings, and \(text.lastPathComponent)")
    let different = try peer.cases.filter { example in
      let string = example["text"]?.stringValue ?? ""
      return try ids(example["ids"]) != ours.encode(string, addSpecialTokens: false)
        || ids(example["with_special"]) != ours.encode(string, addSpecialTokens: true)
    }
    // Splitting as Python's splitlines would needn't be exact: only the time counts.
    let lines = try String(contentsOf: text, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false).map { $0 + "\n" }
    let seconds = try Spread(runs: session.runs) {
      for line in lines { _ = try ours.encode(String(line), addSpecialTokens: false) }
    }
    let bytes = lines.reduce(0) { $0 + $1.utf8.count }
    return TokenizerFinding(
      name: tokenizer.deletingLastPathComponent().lastPathComponent, strings: peer.cases.count, differences: different.count,
      example: different.first?["text"]?.stringValue, megabytesPerSecond: Double(bytes) / 1e6 / seconds.median, seconds: seconds,
      peer: peer.version, peerMegabytesPerSecond: Double(bytes) / 1e6 / peer.seconds)
  }

  private func ids(_ value: JSONValue?) -> [Int32]? { value?.arrayValue?.compactMap { $0.intValue.map(Int32.init) } }

  private func peerRun() throws -> Peer {
    Report.note("the tokenizers library on \(strings) strings")
    return try Interruption.withTemporaryFolder(in: session.scratch) { folder in
      let (script, result) = (folder.appending(component: "tokenizers_run.py"), folder.appending(component: "result.jsonl"))
      try Data(PackageResources.tokenizers_py).write(to: script)
      let child = ChildProcess(
        executable: python,
        arguments: [script.path, tokenizer.path, String(strings), String(seed), text.path, result.path])
      _ = try child.run(output: folder.appending(component: "log"), errors: true)
      let lines = try Data(contentsOf: result).split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: Array($0)) }
      guard let head = lines.first, let version = head["version"]?.stringValue, let seconds = head["seconds"]?.doubleValue else {
        throw BenchError.unreadableResult(program: "tokenizers.py", reason: "no version and time")
      }
      return Peer(version: version, seconds: seconds, cases: Array(lines.dropFirst()))
    }
  }
}

/// Our tokenizer beside the `tokenizers` library.
struct TokenizerFinding: Finding {
  let name: String
  let strings: Int
  /// Strings whose ids aren't the library's.
  let differences: Int
  /// The first of them.
  let example: String?
  /// 10⁶ bytes of UTF-8.
  let megabytesPerSecond: Double
  let seconds: Spread
  /// Version of the library.
  let peer: String
  let peerMegabytesPerSecond: Double

  let key = "tokenizer"
  var heading: String { "Tokenizer \(name): \(strings) random strings, ids beside those of tokenizers \(peer)" }

  var goals: [Goal] {
    [Goal("strings that differ", Double(differences), .atMost, 0), Goal("MB a second on one core", megabytesPerSecond, .atLeast, 1)]
  }

  var table: TextTable {
    var table = TextTable(["tokenizer"] + Spread.headings + ["MB/s", "× tokenizers", "strings", "differ", "such as"])
    table.add(
      [name] + seconds.cells + [
        megabytesPerSecond.rounded(decimals: 2), (megabytesPerSecond / peerMegabytesPerSecond).rounded(decimals: 2), "\(strings)",
        "\(differences)", example.map { $0.debugDescription } ?? "–",
      ])
    return table
  }

  private enum CodingKeys: CodingKey { case name, strings, differences, example, megabytesPerSecond, seconds, peer, peerMegabytesPerSecond }
}
