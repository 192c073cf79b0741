import assert from 'node:assert/strict';
import { afterAll, describe, test } from 'vitest';
import { driverConformance } from '../../src/testkit/index.ts';
import { kafkaService } from '../services/index.ts';
import { needsConfluent } from '../support/confluentPackage.ts';
import { kafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';

needsConfluent();

const kafka = await kafkaService();
const environment = await kafkaDriverEnvironment(kafka.brokers, { driver: 'confluent' });

describe('the confluent driver', () => {
  afterAll(() => environment.close());
  // Most of a test is waiting for the broker, and no test looks at the topics of another.
  driverConformance({ test: test.concurrent, assert, environment });
});
