import Foundation

/// A page of `docs` with commands.
struct Guide: Sendable, CustomStringConvertible {
  /// Commands of the page, in a fence that begins with "```sh".
  struct Block: Sendable {
    let commands: String
    /// What has to be there that the tests don't have: "```sh needs=vllm".
    let needs: [String]
    /// Of a "```text" fence that follows at once: what the commands write.
    var expected: [String]?
    /// Where the block begins.
    let line: Int
  }

  struct Wrong: Error, CustomStringConvertible { let description: String }

  let name: String
  let blocks: [Block]

  var description: String { name }

  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docs").standardized

  /// Every page that has commands.
  static let all: [Guide] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".md") }.sorted().compactMap { name in
      (try? String(contentsOf: folder.appending(component: name), encoding: .utf8)).flatMap { try? Guide(name: name, text: $0) }
    }.filter { !$0.blocks.isEmpty }
  }()

  init(name: String, text: String) throws {
    self.name = name
    var blocks: [Block] = []
    var fence: (info: String, line: Int, content: [String])?
    // Whether only empty lines have come since the last block of commands.
    var isNext = false
    for (index, line) in text.components(separatedBy: "\n").enumerated() {
      if let open = fence {
        guard line == "```" else {
          fence?.content.append(line)
          continue
        }
        fence = nil
        let words = open.info.split(separator: " ").map(String.init)
        switch words.first {
        case "sh":
          let needs = try words.dropFirst().flatMap { word in
            guard word.hasPrefix("needs=") else { throw Wrong(description: "\(name):\(open.line): \"\(word)\" is not needs=…") }
            return word.dropFirst("needs=".count).split(separator: ",").map(String.init)
          }
          blocks.append(Block(commands: open.content.joined(separator: "\n"), needs: needs, line: open.line))
          isNext = true
        case "text" where isNext:
          blocks[blocks.count - 1].expected = open.content
          isNext = false
        default: isNext = false
        }
      } else if line.hasPrefix("```") {
        fence = (String(line.dropFirst(3)), index + 1, [])
      } else if !line.allSatisfy(\.isWhitespace) {
        isNext = false
      }
    }
    guard fence == nil else { throw Wrong(description: "\(name): a fence isn't closed") }
    self.blocks = blocks
  }
}
