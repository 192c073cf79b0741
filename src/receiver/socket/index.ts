export { createSocketReceiver, type SocketReceiverOptions } from './socketReceiver.ts';
