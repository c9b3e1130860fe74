/* The sizes and offsets that the header promises; the library asserts the same of its own. Compiles or does
 * not. */
#include "ss.h"

#ifdef __cplusplus
#define SAME(name, condition) static_assert(condition, #name)
#elif __STDC_VERSION__ >= 201112L
#define SAME(name, condition) _Static_assert(condition, #name)
#else
#define SAME(name, condition) typedef char same_##name[(condition) ? 1 : -1]
#endif

#define AT(type, field, place) SAME(type##_##field, offsetof(type, field) == (place))

SAME(config, sizeof(ss_config) == 104);
AT(ss_config, size_bytes, 0);
AT(ss_config, profile, 4);
AT(ss_config, sensors_max, 8);
AT(ss_config, losses_max, 12);
AT(ss_config, pool_bytes, 16);
AT(ss_config, sector_bytes, 24);
AT(ss_config, epoch, 28);
AT(ss_config, when_full, 32);
AT(ss_config, wait_ms, 36);
AT(ss_config, durability, 40);
AT(ss_config, sync_interval_ms, 44);
AT(ss_config, spill_after_ms, 48);
AT(ss_config, quota_bytes, 56);
AT(ss_config, disk_max_bytes, 64);
AT(ss_config, segment_bytes, 72);
AT(ss_config, reserve_bytes, 80);
AT(ss_config, squeezes, 88);
AT(ss_config, reserved, 92);

SAME(sensor_config, sizeof(ss_sensor_config) == 24);
AT(ss_sensor_config, first_seq, 0);
AT(ss_sensor_config, id, 8);
AT(ss_sensor_config, period_ms, 12);
AT(ss_sensor_config, source, 16);
AT(ss_sensor_config, kind, 17);
AT(ss_sensor_config, reserved, 18);

SAME(sample, sizeof(ss_sample) == 16);
AT(ss_sample, time_ms, 0);
AT(ss_sample, value, 8);
AT(ss_sample, reserved, 12);

SAME(record, sizeof(ss_record) == 32);
AT(ss_record, seq, 0);
AT(ss_record, time_ms, 8);
AT(ss_record, epoch, 16);
AT(ss_record, value, 20);
AT(ss_record, clock, 24);
AT(ss_record, kind, 25);
AT(ss_record, reserved, 26);

SAME(token, sizeof(ss_token) == 24);
AT(ss_token, first_seq, 0);
AT(ss_token, sensor, 8);
AT(ss_token, epoch, 12);
AT(ss_token, count, 16);
AT(ss_token, attempt, 18);
AT(ss_token, store, 20);

SAME(loss, sizeof(ss_loss) == 32);
AT(ss_loss, first_seq, 0);
AT(ss_loss, at_ms, 8);
AT(ss_loss, count, 16);
AT(ss_loss, sensor, 20);
AT(ss_loss, cause, 24);
AT(ss_loss, reserved, 25);

SAME(sensor_stats, sizeof(ss_sensor_stats) == 96);
AT(ss_sensor_stats, added, 0);
AT(ss_sensor_stats, refused, 8);
AT(ss_sensor_stats, erased, 16);
AT(ss_sensor_stats, rejected, 24);
AT(ss_sensor_stats, pending, 32);
AT(ss_sensor_stats, unsent, 40);
AT(ss_sensor_stats, dropped_recycled, 48);
AT(ss_sensor_stats, dropped_corrupt, 56);
AT(ss_sensor_stats, dropped_quota, 64);
AT(ss_sensor_stats, dropped_disk_max, 72);
AT(ss_sensor_stats, reserved, 80);

SAME(store_stats, sizeof(ss_store_stats) == 256);
AT(ss_store_stats, totals, 0);
AT(ss_store_stats, ledger_entries, 96);
AT(ss_store_stats, ledger_records, 104);
AT(ss_store_stats, ledger_forgotten, 112);
AT(ss_store_stats, disk_bytes, 120);
AT(ss_store_stats, disk_bytes_peak, 128);
AT(ss_store_stats, disk_bytes_written, 136);
AT(ss_store_stats, disk_records, 144);
AT(ss_store_stats, disk_syncs, 152);
AT(ss_store_stats, disk_pages_read, 160);
AT(ss_store_stats, disk_damaged_pages, 168);
AT(ss_store_stats, disk_reserve_bytes, 176);
AT(ss_store_stats, disk_durable_lag_ms, 184);
AT(ss_store_stats, disk_segments_squeezed, 192);
AT(ss_store_stats, disk_segments, 200);
AT(ss_store_stats, epoch, 204);
AT(ss_store_stats, sensors, 208);
AT(ss_store_stats, sectors_total, 212);
AT(ss_store_stats, sectors_used, 216);
AT(ss_store_stats, sectors_peak, 220);
AT(ss_store_stats, sectors_limit, 224);
AT(ss_store_stats, reserved, 228);

SAME(levels, sizeof(ss_levels) == 40);
AT(ss_levels, added_seq, 0);
AT(ss_levels, written_seq, 8);
AT(ss_levels, durable_seq, 16);
AT(ss_levels, acked_seq, 24);
AT(ss_levels, acked_durable_seq, 32);

SAME(report, sizeof(ss_shutdown_report) == 16);
AT(ss_shutdown_report, records, 0);
AT(ss_shutdown_report, left, 8);

#ifdef __linux__
SAME(recovery, sizeof(ss_recovery) == 48);
AT(ss_recovery, records, 0);
AT(ss_recovery, pages_read, 8);
AT(ss_recovery, wall_us, 16);
AT(ss_recovery, segments, 24);
AT(ss_recovery, torn_pages, 28);
AT(ss_recovery, corrupt_pages, 32);
AT(ss_recovery, was_clean, 36);
AT(ss_recovery, is_new, 40);
AT(ss_recovery, reserved, 44);
#endif

SAME(stm32_fits, SS_STORE_BYTES(100, 25600, 256, 8) <= 34 * 1024);
SAME(int_is_32_bits, sizeof(int) == 4);
