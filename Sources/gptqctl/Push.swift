import ArgumentParser
import Foundation
import JobModel

/// Options of commands that upload.
struct PushOptions: ParsableArguments {
  @Option(help: "Name on the server; that of the folder or file if not given.") var name: String?
  @Option(help: "Files at once.") var parallel = 4

  func validate() throws {
    guard (1...32).contains(parallel) else { throw ValidationError("--parallel must be from 1 to 32") }
  }
}

/// Uploads files, several at once.
struct Push {
  struct Item: Sendable {
    /// For people.
    let name: String
    let file: URL
    /// On the server.
    let path: String
  }

  let client: APIClient
  let parallel: Int
  let isSilent: Bool

  /// - Returns: How many files the server had already.
  func run(_ items: [Item]) async throws -> Int {
    let board = TransferBoard(isInteractive: Terminal.isInteractive && !isSilent, width: Terminal.width) { Terminal.show($0) }
    return try await withThrowingTaskGroup(of: FileUpload.Outcome.self) { group in
      var present = 0
      for (index, item) in items.enumerated() {
        if index >= parallel, try await group.next() == .present { present += 1 }
        group.addTask { try await upload(item, board) }
      }
      for try await outcome in group where outcome == .present { present += 1 }
      return present
    }
  }

  private func upload(_ item: Item, _ board: TransferBoard) async throws -> FileUpload.Outcome {
    let size =
      (try? FileManager.default.attributesOfItem(atPath: item.file.resolvingSymlinksInPath().path)[.size] as? NSNumber)?.intValue ?? 0
    @Sendable func show(_ bytes: Int, _ label: String) {
      board.update(.init(name: item.name, label: label, fraction: size == 0 ? 1 : Double(bytes) / Double(size)))
    }
    do {
      let outcome = try await FileUpload(client: client, path: item.path, file: item.file).run { step in
        switch step {
        case .hashing(let bytes): show(bytes, "hashing")
        case .sending(let bytes): show(bytes, "\(Formatting.bytes(bytes)) of \(Formatting.bytes(size))")
        case .waiting(let reason): show(0, "waits: \(reason)")
        }
      }
      let line = "\(item.name)  \(Formatting.bytes(size))  \(outcome == .present ? "was there" : "uploaded, SHA-256 verified")"
      board.end(item.name, isSilent ? nil : line)
      return outcome
    } catch {
      board.end(item.name, nil)
      throw error
    }
  }

  /// The name that is given, or that of the file or folder.
  ///
  /// - Throws: `ClientError.file` where it is none.
  static func name(_ given: String?, of url: URL, noun: String) throws(ClientError) -> String {
    let name = given ?? url.lastPathComponent
    guard ResourceName.isForUploads(name) else {
      throw .file(
        path: url.path,
        reason:
          "\"\(name)\" can't be the name of a \(noun): 1 to 96 letters, digits, dots, dashes and underscores; give another with --name")
    }
    return name
  }
}
