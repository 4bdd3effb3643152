import ArgumentParser
import Foundation
import JobModel

extension CompletionKind {
  /// The words that a field of a request takes.
  static func choice<Choice: RawRepresentable & CaseIterable>(of type: Choice.Type) -> CompletionKind where Choice.RawValue == String {
    .list(type.allCases.map(\.rawValue))
  }

  /// "latest", and the ids of the newest jobs in these statuses.
  static func jobs(_ isOffered: @escaping @Sendable (JobStatus) -> Bool = { _ in true }) -> CompletionKind {
    .custom { words, _, _ in
      let jobs = try? await ServerWords(words).client()?.get(APIList<Job>.self, "/v1/jobs?limit=100").data
      return ["latest"] + (jobs ?? []).filter { isOffered($0.status) }.map(\.id.text)
    }
  }

  static var models: CompletionKind { .custom { words, _, _ in await ServerWords(words).names(of: "models") } }

  static var datasets: CompletionKind { .custom { words, _, _ in await ServerWords(words).names(of: "datasets") } }
}

/// The words of a command line that is being completed, as far as they say which server is meant.
struct ServerWords {
  private let words: [String]

  /// Longer than this nobody waits for a completion.
  private static let patience = 2

  init(_ words: [String]) { self.words = words }

  /// nil where the address is none.
  func client(environment: [String: String] = ProcessInfo.processInfo.environment) -> APIClient? {
    try? APIClient(
      url: value(of: "--url") ?? environment["GPTQD_URL"] ?? ServerOptions.standardURL,
      token: value(of: "--token") ?? environment["GPTQD_TOKEN"],
      patience: Self.patience)
  }

  private struct Entry: Codable, Sendable { let name: String }

  /// Empty where the server doesn't tell.
  func names(of kind: String) async -> [String] {
    (try? await client()?.get(APIList<Entry>.self, "/v1/\(kind)").data.map(\.name)) ?? []
  }

  /// As the shell has the word: perhaps in quotation marks.
  func value(of option: String) -> String? {
    for (index, word) in words.enumerated() {
      let value: Substring? =
        word.hasPrefix(option + "=")
        ? word.dropFirst(option.count + 1) : word == option && index + 1 < words.count ? words[index + 1][...] : nil
      if let value { return value.trimmingCharacters(in: ["\"", "'"]) }
    }
    return nil
  }
}
