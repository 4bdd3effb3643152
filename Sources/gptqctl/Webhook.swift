import ArgumentParser
import Foundation
import JobModel

struct Webhook: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Shows what became of the messages to a job's webhook.")

  @Argument(help: "Id, beginning of it, or latest.") var job: String
  @OptionGroup var server: ServerOptions

  func run() async throws {
    let client = try server.client()
    let answer = try await client.send("GET", "/v1/jobs/\(client.resolve(job))/webhook")
    guard !server.json else { return Terminal.printJSON(answer.body) }
    print(DeliveryTable(try APICoding.decode(WebhookRecord.self, from: answer.body)).text)
  }
}

/// Tries to deliver messages, one a row.
package struct DeliveryTable {
  private let record: WebhookRecord

  package init(_ record: WebhookRecord) { self.record = record }

  package var text: String {
    var table = TextTable([
      ("message", .left), ("event", .left), ("state", .left), ("try", .right), ("at", .left), ("seconds", .right), ("status", .right),
    ])
    for delivery in record.deliveries {
      let (id, event, state) = (delivery.id, delivery.event, delivery.state.rawValue)
      for (index, attempt) in delivery.attempts.enumerated() {
        table.add(
          [
            id, event, state, "\(index + 1)", attempt.at.formatted(.iso8601), Formatting.fixed(attempt.seconds, 2),
            Formatting.optional(attempt.status),
          ], note: attempt.error)
      }
      if let next = delivery.nextAttemptAt {
        table.add([id, event, state, "\(delivery.attempts.count + 1)", "due \(next.formatted(.iso8601))", "–", "–"])
      }
    }
    return "\(record.url)\n\n\(table.text)"
  }
}
