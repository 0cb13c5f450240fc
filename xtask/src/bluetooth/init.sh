# The first process of the guest: makes it a system, runs the suite, switches it off.
/bin/busybox --install -s /bin
ln -s /run /var/run
export PATH=/bin:/suite HOME=/root TZ=UTC
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /run/dbus
mount -t devpts pts /dev/pts
while read -r module; do
    insmod "/modules/$module" || echo "guest: $module is not loaded"
done < /modules/order
mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072 results /results
ifconfig lo 127.0.0.1 up
cd /suite || exit
./suite
echo "guest: the suite ended with $?"
sync
poweroff -f
