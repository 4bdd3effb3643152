import NIOCore

/// Sees a connection's bytes next to the socket: how many go out, how long the server has waited for some to come in.
final class ByteMeter: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = IOData

  /// Bytes that were written, whether the socket has taken them or not.
  private(set) var written = 0
  private var waited = TimeAmount.zero
  private var waitsSince: NIODeadline?
  private var dropsInput = false

  /// Time since `forgetWaiting` in which the server would have read had there been bytes. Time in which it doesn't want any isn't
  /// the client's fault.
  var waitingTime: TimeAmount { waited + (waitsSince.map { .now() - $0 } ?? .zero) }

  func forgetWaiting() {
    waited = .zero
    if waitsSince != nil { waitsSince = .now() }
  }

  /// From now on, what comes is read and thrown away before anything parses or stores it.
  func dropInput(_ context: ChannelHandlerContext) {
    guard !dropsInput else { return }
    dropsInput = true
    // Whoever else would ask for more may have stopped doing so.
    context.channel.read()
  }

  func read(context: ChannelHandlerContext) {
    if waitsSince == nil { waitsSince = .now() }
    context.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if let start = waitsSince {
      waited = waited + (.now() - start)
      waitsSince = nil
    }
    if !dropsInput { context.fireChannelRead(data) }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    context.fireChannelReadComplete()
    if dropsInput { context.read() }
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    written += unwrapOutboundIn(data).readableBytes
    context.write(data, promise: promise)
  }
}

@available(*, unavailable)
extension ByteMeter: Sendable {}
